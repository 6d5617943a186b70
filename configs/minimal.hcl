# The least that works: one tenant, one distributor. The database is tallyman.db beside this file, and the
# plugins are in the folder plugins beside the tallyman program.

tenant "acme" {
  module "rhipe" {
    settings {
      client_id     = env("RHIPE_CLIENT_ID")
      client_secret = env("RHIPE_CLIENT_SECRET")
    }
  }
}
