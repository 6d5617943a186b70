# Every setting, with its default unless it says otherwise. Relative paths are taken from this file's folder.
#
# The configuration is this file, or a folder of *.hcl files: --config, or TALLYMAN_CONFIG, or tallyman.hcl, or tallyman.d.
# What stands here is overridden by the environment, and that by --set. The variable of a value is TALLYMAN_ and its key in
# capitals with underscores: TALLYMAN_RUNS_TIMEOUT, TALLYMAN_TENANT_ACME_MODULE_RHIPE_CUSTOMERS_UNMATCHED. "tallyman config
# show" prints every key with its value and where it comes from.
#
# env("NAME") and file("path") read an environment variable or a small file, such as a secret. In a module they are read
# only when the module is used.

database {
  url = "sqlite:tallyman.db" # or, shared by several machines, env("…") with postgres://user:password@host:5432/database in it
}

plugins {
  directory = "bin/plugins"   # holds tallyman-plugin-<name>; default: the folder plugins beside the tallyman program
  lock_file = "tallyman.lock" # written by "tallyman plugin lock"; only what it lists may run
}

log {
  level = "warn" # trace, debug, info, warn or error; where nothing is written, "tallyman serve" logs info, too
}

runs {
  lease   = "1m" # how long a dead process blocks a module
  timeout = "2h" # a whole run that takes longer is ended, and changes nothing; a single answer has settings.timeout
}

# How long what is over is kept; "0s" keeps all. What is held and a module's last trustworthy runs stay in any case.
retention {
  runs    = "400d" # runs of which no change is kept; at least 30d
  changes = "0s"   # what runs changed, with the runs that did, such as "2555d" (seven years); changes by hand always stay
}

# How "tallyman serve" runs what is due.
serve {
  listen                   = ""   # address of /healthz, /readyz and /metrics, such as "127.0.0.1:8470"; empty: none
  max_runs                 = 4    # runs at once; those of one tenant are made one after another
  max_runs_per_distributor = 2    # how many of them with one distributor, so that a slow one leaves room for the others
  drain                    = "1m" # how long runs may go on when it is told to end; then they are cancelled, and made anew at the next start
  retry_wait               = "5m" # wait before a failed run is repeated; it doubles each time
  retries                  = 4    # repeats before the module's time comes again
  max_refused              = 3    # after so many runs in a row with refused credentials a module is stopped, lest the account be locked
}

# A span of each run, its stages and its calls to the plugin. The variables of OpenTelemetry hold, too: OTEL_EXPORTER_OTLP_HEADERS, …
traces {
  endpoint = "" # receiver of OTLP over HTTP, such as "http://127.0.0.1:4318"; empty: OTEL_EXPORTER_OTLP_ENDPOINT, if it is set
}

# Who is told of what. Each thing that is not as it should be is told once, again after remind_after as long as it lasts, and
# once more when it is over. A message that does not get through is sent again for three days. Try a channel with "tallyman
# notifications test"; "tallyman notifications list" shows what is open, muted and not delivered.
notifications {
  stale_after  = "36h" # a module without a trustworthy run for so long is stale; "0s": never
  remind_after = "24h" # at least 1h; warnings are told once only
  digest_at    = ""    # a summary of all modules each day, such as "08:00"; empty: none
  time_zone    = "UTC" # of digest_at, and of the times in messages

  # Channels: as many as there are. env and file in them are read when something is sent.
  email "ops" {
    host     = "smtp.example.com"         # required
    port     = 0                          # 0: 587 with starttls, 465 with tls, 25 with none
    tls      = "starttls"                 # or tls, or none, which is for a server on this machine only
    username = "tallyman@example.com"     # default: nobody logs in
    password = env("SMTP_PASSWORD")       # likewise
    from     = "tallyman@example.com"     # required
    to       = ["operations@example.com"] # required
    timeout  = "30s"
  }

  # JSON, signed as standardwebhooks.com has it: webhook-id, webhook-timestamp, webhook-signature. It may come twice; webhook-id
  # is the same then.
  webhook "hook" {
    url     = env("HOOK_URL")    # required; https, or http to this machine
    secret  = env("HOOK_SECRET") # required: whsec_ and base64 of at least 24 bytes, as "openssl rand -base64 32" makes it
    timeout = "15s"
  }

  chat "team" {
    app     = "teams"         # or slack; Mattermost, Rocket.Chat and Google Chat take what Slack takes
    url     = env("CHAT_URL") # required: of Teams' workflow "Send webhook alerts to a channel", or of the chat's incoming webhook
    timeout = "15s"
  }

  # What goes where. Without any route, everything from severity warning on goes to all channels.
  route "all" {
    channels = ["ops", "hook", "team"] # required
    tenants  = []                      # names; empty: all
    kinds    = []                      # failed, held, warning, stale, stopped, expiring, recovered, digest; empty: all
    severity = "warning"               # the least that counts: info, warning (held, warning) or error (failed, stale, stopped)
  }
}

tenant "acme" {            # as many as there are; a name consists of a-z, 0-9 and dashes
  display_name = "Acme IT" # default: none
  time_zone    = "UTC"     # of its schedules, such as "Australia/Sydney"

  module "rhipe" {
    plugin      = "rhipe" # default: the module's name
    enabled     = true
    environment = [] # names of environment variables the plugin gets; it inherits nothing else

    # The plugin's own; see plugins/rhipe/README.md.
    settings {
      client_id     = env("RHIPE_CLIENT_ID")     # required
      client_secret = env("RHIPE_CLIENT_SECRET") # required

      contract_agreement_ids = [] # contract agreements to read; empty: those found with the customers
      partner_customer_id    = "" # CustomerId of your own company, so that it is not taken for a customer

      include_deactivated_customers = true       # list deactivated customers too, marked as ended
      customers_from_tenants        = true       # read the tenants with the customers too
      fetch_tenant_details          = false      # one more request for each tenant: display names, unit prices, add-ons
      fetch_prices                  = false      # one more request for each agreement: prices and product codes
      fetch_azure_usage             = false      # one more request for each metered subscription: its cost in a month
      azure_usage_month             = "previous" # or current, which changes every day

      max_parallel        = 2    # requests at a time, 1 to 16
      requests_per_minute = 300  # at most, repeats included; 0: no limit
      timeout             = "2m" # how long to wait for an answer to begin, and for it to go on; a whole run has runs.timeout
      max_attempts        = 5    # how often a request is tried, 1 to 10
      retry_wait          = "1s" # wait before the first repeat; it doubles each time

      api_base_url = "https://api.prismportal.online"
      token_url    = "https://identity.prismportal.online/core/connect/token"
      scope        = "rhipeapi"
      allow_http   = false # permit http to other machines; the secret then travels unencrypted

      term_fields       = [] # members that may hold the commitment term; empty: TermDuration, CommitmentTerm
      end_date_fields   = [] # … the end of the commitment; empty: CommitmentEndDate, TermEndDate, RenewalDate, EndDate
      auto_renew_fields = [] # … whether it renews itself; empty: AutoRenewEnabled, AutoRenew

      paths {
        me             = "/api/v1/me"
        customers      = "/api/v1/me/customers"
        tenants        = "/api/v2/contractagreements/{contractAgreementId}/tenants"
        tenant_details = "/api/v2/microsoftcsp/tenants/{tenantId}"
        price_list     = "/api/v2/me/pricing/{contractAgreementId}/pricelist/{year}/{month}/{day}/?excludeTieredProducts=true"
        azure_usage    = "/api/v2/microsoftcsp/azure/usage/summary/{subscriptionId}"
      }
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
      max_customers_created_percent = 50    # of the module's mapped customers; a first import is not limited
      max_quantity_factor           = 10    # a quantity may change by more than the factor,
      max_quantity_step             = 50    # or by more than the step, but not by both
      allow_empty_listing           = false # believe a complete listing without records, where there were some
    }

    # When "tallyman serve" runs the module.
    schedule {
      enabled  = true
      daily_at = "02:15" # in the tenant's time zone; default: never
      days     = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
      cron     = ""   # instead of daily_at and days: minute, hour, day of month, month, day of week, "15 2,14 * * mon-fri"
      jitter   = "0s" # spread modules with the same time over this long; each has its own delay, always the same
      sync     = ["customers", "subscriptions"]
    }

    notifications {
      stale_after        = "0s" # as in the block notifications, for this module; "0s": as there
      credentials_expire = ""   # day on which the distributor's credentials end, "2027-03-01": told 30, 7 and 1 days before
    }
  }
}
