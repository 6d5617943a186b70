# Every setting, with its default unless it says otherwise. Relative paths are taken from this file's folder.
# env("NAME") and file("path") read an environment variable or a file; inside settings they are evaluated only for the
# modules that a command uses.

database {
  url = "sqlite:tallyman.db"
}

plugins {
  directory = "plugins"       # holds tallyman-plugin-<name>
  lock_file = "tallyman.lock" # written by "tallyman plugin lock"; only what it lists may run
}

log {
  level = "warn" # trace, debug, info, warn or error
}

runs {
  lease   = "60s" # how long a dead process blocks a module
  timeout = "2h"  # a run that takes longer is ended, and changes nothing
}

tenant "acme" {
  display_name = "Acme IT" # default: none
  time_zone    = "UTC"

  module "rhipe" {
    plugin      = "rhipe" # default: the module's name
    enabled     = true
    environment = [] # names of environment variables the plugin gets; it inherits nothing else

    settings { # the plugin's own; see plugins/rhipe/README.md
      client_id     = env("RHIPE_CLIENT_ID")
      client_secret = env("RHIPE_CLIENT_SECRET")
    }

    customers {
      unmatched                = "hold" # create, hold (wait for approval) or ignore
      top_level                = ""     # what new customers are put under; empty: none
      update_main_site_address = false  # main sites follow the distributor's addresses
    }

    subscriptions {
      deactivate_missing = false # deactivate what ended at the distributor
      missing_runs       = 1     # in how many complete readings in a row it must be missing
    }

    guards { # what goes beyond waits for a person; see "tallyman runs show" and "tallyman approve"
      max_deactivations             = 5
      max_deactivations_percent     = 20 # of the module's active subscriptions; the larger limit counts
      max_customers_created         = 25
      max_customers_created_percent = 50 # of the module's mapped customers; a first import is free
      max_quantity_factor           = 10 # a quantity may change by more than the factor,
      max_quantity_step             = 50 # or by more than the step, but not by both
      allow_empty_listing           = false
    }
  }
}
