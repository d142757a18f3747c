"""A real Chromium, a shop's site and a running service: what `/ff.js` does where it is used."""
