"""What the package needs of the machine: whole files, locks, the console, devices, versions."""
