//! Makes the completions of shells and the man pages of the program.

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/program/args.rs");
    #[cfg(feature = "manual")]
    manual::make(&std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets the directory")))?;
    Ok(())
}

#[cfg(feature = "manual")]
#[allow(dead_code, unreachable_pub, reason = "the build script needs only the definition of the command line")]
#[path = "src/program/args.rs"]
mod args;

#[cfg(feature = "manual")]
mod manual {
    use std::fs;
    use std::io;
    use std::path::Path;

    use clap::CommandFactory;
    use clap_complete::Shell;

    use super::args::Args;

    /// Writes `completions/` and `man/` into this directory, and `man.rs`, a list of all man pages with their texts.
    pub(super) fn make(out: &Path) -> io::Result<()> {
        let (completions, man) = (out.join("completions"), out.join("man"));
        for directory in [&completions, &man] {
            // Without the pages of commands that no longer exist.
            let _ = fs::remove_dir_all(directory);
            fs::create_dir(directory)?;
        }
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            clap_complete::generate_to(shell, &mut Args::command(), "syncmgr", &completions)?;
        }
        clap_mangen::generate_to(Args::command(), &man)?;
        fs::write(out.join("man.rs"), list(&man)?)
    }

    fn list(man: &Path) -> io::Result<String> {
        let mut pages = fs::read_dir(man)?.map(|page| Ok(page?.file_name())).collect::<io::Result<Vec<_>>>()?;
        pages.sort();
        let entry = |page: &std::ffi::OsString| format!("({page:?}, include_str!({:?})),", man.join(page));
        Ok(format!("&[{}]", pages.iter().map(entry).collect::<String>()))
    }
}
