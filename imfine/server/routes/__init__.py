"""The routes, one file a subject: they read a request, ask the parts in `Context` and answer."""
