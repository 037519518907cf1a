//! Empty: this package exists only for the dependency features in its manifest.
