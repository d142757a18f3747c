"""What marketing sites embed: the script `ff.js` and how it is served."""
