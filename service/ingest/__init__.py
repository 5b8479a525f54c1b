"""The shell around the pure core: gather what changed, plan, apply, remove, sweep.

`cycle.run_cycle` is one look at one feed; `listings.sync_listings` is the unit of work.
"""
