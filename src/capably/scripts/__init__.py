"""Script steps: files found and checked at load, and run in sandboxes that reach nothing but their context.

JavaScript is QuickJS, compiled to WebAssembly, under wasmtime (:mod:`.javascript`). Python is Monty, in processes of
its own (:mod:`.python`). Both are an extra, ``capably[scripts]``, and are imported when a document has a script.
"""
