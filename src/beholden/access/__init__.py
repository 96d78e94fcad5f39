"""Who may see what: passwords, sessions, rights, and the one door through which footage leaves."""
