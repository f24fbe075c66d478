"""The writing desk: the terminal app. It installs as `baco_local.tui`; imports inside it are relative, so that no other
package called `tui` is ever met."""
