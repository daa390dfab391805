"""The routes, one file a subject. They read a request, ask the parts in `Context` and answer; no SQL, no locks."""
