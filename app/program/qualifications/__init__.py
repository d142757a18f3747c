"""What partners have in a program: a tier, a certificate, an accepted agreement; dated."""
