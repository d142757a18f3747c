"""API keys of a workspace: made, listed, revoked."""
