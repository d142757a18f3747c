"""A program's terms for people: the published table, made from the plan itself."""
