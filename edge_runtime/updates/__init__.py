"""What the daemon does with a store of signed bundles: opens it, tries what is new, keeps it or goes back."""
