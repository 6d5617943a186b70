// SPDX-License-Identifier: Apache-2.0

// Package sdk is all that a distributor plugin imports. A plugin is a Plugin value given to Serve:
//
//	type settings struct {
//		APIKey sdk.Secret `setting:"api_key,required" help:"API key, from the partner portal under Integrations."`
//	}
//
//	func main() {
//		sdk.Serve(sdk.Plugin[settings]{
//			Name: "acmecloud", Version: "1.0.0",
//			Connect: func(_ context.Context, s settings, env sdk.Env) (sdk.Distributor, error) {
//				return &connection{key: s.APIKey, log: env.Log}, nil
//			},
//		})
//	}
//
// # Settings
//
// Each exported field of the settings struct needs a setting tag: the name ([a-z][a-z0-9_]*), then options.
//
//	setting:"client_id,required"    the operator must give it
//	setting:"password,secret"       never shown; a field of type Secret is secret by itself
//	setting:"endpoint,url"          an absolute http or https URL
//	setting:"-"                     not a setting
//	default:"20"                    used when it is absent
//	choices:"eu|us"                 the values allowed
//	help:"…"                        what it is and where the operator finds it
//	example:"…"                     a value that is not a real one
//
// A field is a string, Secret, bool, int, int32, int64, Decimal, time.Duration, *url.URL, []string or map[string]string. A
// struct is a group: its settings get the group's name in front, "paths.customers". An embedded struct without a tag is
// no group; its settings stand beside the others.
//
// # What the SDK takes care of
//
// The process and its protocol; decoding and checking settings; batching; saying what is complete; panics, which end a
// call and not the process; secret settings, which are replaced by *** in every log line, error and warning; whatever is
// printed, which becomes log lines; ending when the host is gone.
package sdk
