//! Searches in sorted lists.

/// Returns the number of elements before the first for which `is_leading` is `false`. Like `partition_point`, but the cost depends
/// on this number.
pub(super) fn leading<T>(elements: &[T], is_leading: impl Fn(&T) -> bool) -> usize {
    let mut end = 1;
    while end <= elements.len() && is_leading(&elements[end - 1]) {
        end *= 2;
    }
    let (from, to) = (end / 2, elements.len().min(end - 1));
    from + elements[from..to].partition_point(is_leading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leading_elements_are_counted_as_by_a_partition_point() {
        let numbers: Vec<_> = (0..40).collect();
        for (length, first) in (0..40).flat_map(|length| (0..=length).map(move |first| (length, first))) {
            assert_eq!(leading(&numbers[..length], |number| *number < first), first);
        }
    }
}
