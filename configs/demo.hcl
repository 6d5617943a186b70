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

  # A distributor that sends files.
  module "harbour" {
    plugin = "csv"
    settings {
      distributor = "Harbour Telecom"
      directory   = env("HARBOUR_FILES")
      customers   = "customers.csv"
      currency    = "AUD"
      columns = {
        id              = "Service ID"
        customer_id     = "Account"
        name            = "Plan"
        sku             = "Code"
        quantity        = "Lines"
        status          = "Status"
        started_on      = "Connected"
        billing_term    = "Billed"
        commitment_term = "Contract"
        cost            = "Unit price (ex GST)"
      }
      customer_columns = {
        id          = "Account"
        name        = "Company"
        status      = "Status"
        line1       = "Street"
        city        = "Town"
        region      = "State"
        postal_code = "Postcode"
        country     = "Country"
        email       = "E-mail"
        domain      = "Domain"
      }
      statuses = { "In service" = "active", "Provisioning" = "pending", "Disconnected" = "cancelled", "Closed" = "cancelled" }
    }
    customers {
      unmatched = "create"
      top_level = "Cloud customers"
    }
  }
}
