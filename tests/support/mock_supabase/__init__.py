"""A stand-in for Supabase, spoken to over real HTTP: Storage and the REST interface to one table.

Answers are, to the byte and the code, those observed on 2026-11-23 of storage-api (source of 2026-08-21) and of
PostgREST, with the codes of its versions from 13 on. What it is told by the attributes of ``MockSupabase``:

    stop(), start()     down, and up again at the same address
    faults              ``Fault``s that the next calls end in, or all until told otherwise
    hold                calls wait until it is released: slow
    is_hidden           row-level security hides everything from every key
    answers_after_s     how long every call takes, as the way to a real one does
    serves_stale        downloads are answered as a cache would that never asks again for an address it knows
    max_bytes           larger objects are refused
    objects, rows       what is stored; ``bucket`` and ``table`` can be taken away and given back
    uploads, calls      what was seen
"""
