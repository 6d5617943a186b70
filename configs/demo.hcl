# What "make run" uses: the bundled simulator instead of PRISM, and a fresh database under var/demo.

database {
  url = "sqlite:../var/demo/tallyman.db"
}

plugins {
  directory = "../bin/plugins"
  lock_file = "../var/demo/tallyman.lock"
}

tenant "acme" {
  display_name = "Acme IT"
  time_zone    = "Australia/Sydney"

  module "rhipe" {
    settings {
      client_id     = env("RHIPE_CLIENT_ID")
      client_secret = env("RHIPE_CLIENT_SECRET")
      api_base_url  = env("PRISM_URL")
      token_url     = "${env("PRISM_URL")}/core/connect/token"
      retry_wait    = "100ms"
    }
    customers {
      unmatched                = "create"
      top_level                = "Cloud customers"
      update_main_site_address = true
    }
    subscriptions {
      deactivate_missing = true
    }
  }
}
