"""Road 1: no redirect is answered before its click is safe on disk.

request ─► asgi ─► directory (which link) ─► journal (fsync) ─► 302
                        ▲ feed, from Postgres      └─► drain, into Postgres
`road.road()` starts all of it for one web process; it goes on while Postgres is down.
"""
