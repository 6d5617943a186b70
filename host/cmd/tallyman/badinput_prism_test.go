// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// today is what has changed at the distributor since the first run: something of the customers, and something in each of
// two agreements.
func today(w *prismsim.World) {
	w.UpdateCustomer("c-acacia", func(c *prismsim.Customer) { c.Address.Street1 = "2 Acacia Way" })
	w.SetQuantity("s-premium", 26)
	w.RemoveSubscription("s-backup-two")
}

// What a run that reads all of it does, by what it reads.
var (
	ofCustomers = []string{"sites Acacia Farms/Main #1 line1: 1 Acacia Way -> 2 Acacia Way"}
	ofMicrosoft = []string{"subscriptions s-premium quantity: 25 -> 26"}
	ofBackup    = []string{"subscriptions s-backup-two active: 1 -> 0", "subscriptions s-backup-two deactivated_at: null -> set"}
)

// badRun is a run under which something is wrong.
type badRun struct {
	settings []string
	env      map[string]string
	faults   []prismsim.Fault
	prepare  func(p *place)

	// code is the exit code, outcome that of the run, effect what it still does.
	code    int
	outcome string
	effect  []string
	// says must be in what the run tells: what happened, where, what to do.
	says []string
	// silent must not be in anything it prints.
	silent []string
	check  func(p *place)
}

// on limits faults to the tenants of agreement a-backup, where a fault must leave the rest as it is.
func on(f prismsim.Fault) []prismsim.Fault {
	f.Endpoint, f.ID = prismsim.Tenants, "a-backup"
	return []prismsim.Fault{f}
}

// at limits a fault to an endpoint.
func at(e prismsim.Endpoint, f prismsim.Fault) []prismsim.Fault {
	f.Endpoint = e
	return []prismsim.Fault{f}
}

const (
	failedAgreement = "contract agreement a-backup (Cloud Backup) could not be read; nothing of it was touched: "
	tenantsPath     = "/api/v2/contractagreements/a-backup/tenants"
	customersPath   = "/api/v1/me/customers"
)

// untouched is a run of which one agreement fails: customers and the other agreement are imported all the same.
func untouched(f prismsim.Fault, says ...string) badRun {
	return badRun{
		faults: on(f), outcome: "warning", effect: together(ofCustomers, ofMicrosoft),
		says: append([]string{failedAgreement, tenantsPath}, says...),
	}
}

// nothing is a run that fails as a whole.
func nothing(code int, faults []prismsim.Fault, says ...string) badRun {
	return badRun{faults: faults, code: code, outcome: "failed", says: says}
}

// ridden is a run that does not let itself be kept from its work.
func ridden(f prismsim.Fault) badRun {
	return badRun{faults: []prismsim.Fault{f}, outcome: "succeeded", effect: together(ofCustomers, ofMicrosoft, ofBackup)}
}

func badRuns() map[string]badRun {
	all := together(ofCustomers, ofMicrosoft, ofBackup)
	quick := []string{`timeout = "1s"`}
	runs := map[string]badRun{
		"a wrong secret": {
			env: map[string]string{"RHIPE_CLIENT_SECRET": "revoked-5b2d48601c3e"}, code: 1, outcome: "failed",
			says:   []string{"distributor.auth", "/core/connect/token answered 400", "invalid_client", "Manage Client Credentials, Generate Client Credentials"},
			silent: []string{"revoked-5b2d48601c3e"},
		},
		"a wrong scope": {
			settings: []string{`scope = "everything"`}, code: 2, outcome: "failed",
			says: []string{"distributor.settings", "invalid_scope", "Check the scope in the settings"},
		},
		"a host that does not resolve": {
			env: map[string]string{"PRISM_URL": "https://prism.invalid"}, code: 3, outcome: "failed",
			says: []string{"distributor.transient", "prism.invalid", "this machine's DNS"},
		},
		"nobody listens": {
			env: map[string]string{"PRISM_URL": "http://127.0.0.1:1"}, code: 3, outcome: "failed",
			says: []string{"distributor.transient", "127.0.0.1:1", "the connection was refused", "Check host and port", "tried 2 times"},
		},
		"a certificate nobody vouches for": {
			prepare: func(p *place) { p.env["PRISM_URL"] = p.withTLS().APIURL() }, code: 2, outcome: "failed",
			says: []string{"distributor.settings", "the TLS certificate is not from an authority this machine trusts", "SSL_CERT_FILE"},
		},
		"a certificate the operator vouches for": {
			prepare: func(p *place) {
				sim := p.withTLS()
				p.env["PRISM_URL"], p.env["SSL_CERT_FILE"] = sim.APIURL(), p.write("ours.pem", string(sim.CertificatePEM()))
			},
			outcome: "succeeded", effect: all,
		},
		"a token that ends in the middle": {
			faults: at(prismsim.Tenants, prismsim.Fault{Status: 401, Times: 1}), outcome: "succeeded", effect: all,
			check: func(p *place) {
				if n := p.sim.Calls(prismsim.Token); n != 2 {
					p.t.Errorf("%d tokens were asked for, want 2", n)
				}
			},
		},
		"tokens that end at once": nothing(1, at(prismsim.Tenants, prismsim.Fault{Status: 401}), "distributor.auth", "answered 401", "Generate Client Credentials"),
		"401 to everything":       nothing(1, []prismsim.Fault{{Status: 401}}, "distributor.auth", customersPath+" answered 401", "Generate Client Credentials"),
		"401 in one agreement":    untouched(prismsim.Fault{Status: 401}, "answered 401", "Generate Client Credentials"),

		"403 for one agreement": untouched(prismsim.Fault{Status: 403}, "answered 403 Forbidden: You are not allowed to see this resource.", "the contract agreement is yours"),
		"403 for the customers": nothing(1, at(prismsim.Customers, prismsim.Fault{Status: 403}), "distributor.permission", customersPath+" answered 403", "belong to your own company"),
		"404 for one agreement": untouched(prismsim.Fault{Status: 404}, "answered 404", "Check contract_agreement_ids"),
		"an agreement that is not there": {
			settings: []string{`contract_agreement_ids = ["a-microsoft", "a-backup", "a-mistyped"]`}, outcome: "warning", effect: all,
			says: []string{"contract agreement a-mistyped could not be read", "answered 404", "Check contract_agreement_ids"},
		},
		"a path that is not there": {
			settings: []string{`paths { customers = "/api/v3/me/customers" }`}, code: 1, outcome: "failed",
			says: []string{"distributor.not_found", "/api/v3/me/customers answered 404", "the paths in the settings"},
		},

		"429 with seconds":             ridden(prismsim.Throttle(prismsim.Tenants, 1, "1")),
		"429 with a date":              ridden(prismsim.Throttle(prismsim.Tenants, 1, time.Now().Add(time.Second).UTC().Format(http.TimeFormat))),
		"429 with nonsense":            ridden(prismsim.Throttle(prismsim.Tenants, 1, "soon")),
		"429 without a time":           ridden(prismsim.Throttle(prismsim.Customers, 1, "")),
		"429 at the token":             ridden(prismsim.Throttle(prismsim.Token, 1, "0")),
		"429 with more time than is":   nothing(3, []prismsim.Fault{prismsim.Throttle(prismsim.Customers, 0, "3600")}, "distributor.throttled", "answered 429", "API calls quota exceeded"),
		"429 for good":                 nothing(3, []prismsim.Fault{prismsim.Throttle(prismsim.Customers, 0, "0")}, "distributor.throttled", "answered 429", "tried 2 times", "lower the request rate"),
		"429 for good for one":         untouched(prismsim.Fault{Status: 429, RetryAfter: "0"}, "answered 429", "tried 2 times", "lower the request rate"),
		"500 once at the token":        ridden(prismsim.Fault{Endpoint: prismsim.Token, Times: 1}),
		"500 once at the customers":    ridden(prismsim.Fault{Endpoint: prismsim.Customers, Times: 1}),
		"500 now and then":             ridden(prismsim.Fault{Every: 2}),
		"a connection dropped at once": ridden(prismsim.Fault{Endpoint: prismsim.Tenants, Kind: prismsim.FaultNoConnection, Times: 1}),
		"500 for good at the token":    nothing(3, at(prismsim.Token, prismsim.Fault{}), "distributor.transient", "/core/connect/token answered 500", "tried 2 times", "Try again later"),
		"500 for good":                 nothing(3, at(prismsim.Customers, prismsim.Fault{}), "distributor.transient", customersPath+" answered 500", "tried 2 times", "Try again later"),
		"500 for good for one":         untouched(prismsim.Fault{}, "answered 500", "tried 2 times", "Try again later"),
		"500 for all agreements": {
			// What was read of the customers is good all the same.
			faults: at(prismsim.Tenants, prismsim.Fault{}), code: 3, outcome: "failed", effect: ofCustomers,
			says: []string{"distributor.transient", "answered 500", "tried 2 times"},
		},

		"HTML with 200":         nothing(1, at(prismsim.Customers, prismsim.Fault{Kind: prismsim.FaultHTML}), "distributor.schema", customersPath, "HTML, not JSON", "sign-in page"),
		"HTML with 200 for one": untouched(prismsim.Fault{Kind: prismsim.FaultHTML}, "HTML, not JSON", "sign-in page"),
		"HTML with 503":         nothing(3, at(prismsim.Customers, prismsim.Fault{Kind: prismsim.FaultHTML, Status: 503}), "distributor.transient", "answered 503", "PRISM is down for maintenance", "Try again later"),
		"HTML at the token":     nothing(1, at(prismsim.Token, prismsim.Fault{Kind: prismsim.FaultHTML}), "/core/connect/token", "HTML, not JSON", "sign-in page"),
		"no body":               untouched(prismsim.Fault{Kind: prismsim.FaultBody}, "the answer is empty"),
		"a text":                untouched(prismsim.Fault{Kind: prismsim.FaultBody, Body: `"An error has occurred."`}, "is text, not a list"),
		"another object":        untouched(prismsim.Fault{Kind: prismsim.FaultBody, Body: `{"Message":"An error has occurred."}`}, `only the message "An error has occurred."`),
		"a list and more":       untouched(prismsim.Fault{Kind: prismsim.FaultBody, Body: `[]]`}, "something follows the end of the list"),
		"no JSON":               untouched(prismsim.Fault{Kind: prismsim.FaultBody, Body: `[{"TenantId":nul}]`}, "not valid JSON"),
		"deep JSON":             untouched(prismsim.Fault{Kind: prismsim.FaultBody, Body: strings.Repeat("[", 200_000)}, "ends in the middle"),

		"a list cut in the middle":   untouched(prismsim.Fault{Kind: prismsim.FaultCut}, "the answer ends in the middle", "Try again later"),
		"a list cut at its end":      untouched(prismsim.Fault{Kind: prismsim.FaultBody, Body: `[{"TenantId":"t-bare","CustomerId":"c-bare","Subscriptions":[]}`}, "the answer ends in the middle"),
		"a line that breaks":         untouched(prismsim.Fault{Kind: prismsim.FaultAbort}, "the connection broke", "broke off after"),
		"a body that is too short":   untouched(prismsim.Fault{Kind: prismsim.FaultShortBody}, "the connection broke", "broke off after"),
		"a body that is too long":    untouched(prismsim.Fault{Kind: prismsim.FaultLongBody}, "the answer ends in the middle"),
		"customers cut":              nothing(1, at(prismsim.Customers, prismsim.Fault{Kind: prismsim.FaultCut}), "distributor.schema", customersPath, "the answer ends in the middle"),
		"customers on a broken line": nothing(3, at(prismsim.Customers, prismsim.Fault{Kind: prismsim.FaultAbort}), "distributor.transient", customersPath, "the connection broke"),

		"no answer":                nothing(3, at(prismsim.Customers, prismsim.Fault{Kind: prismsim.FaultHang}), "distributor.transient", customersPath, "no answer within 1s", "tried 2 times", "raise timeout in the settings"),
		"no answer for one":        untouched(prismsim.Fault{Kind: prismsim.FaultHang}, "no answer within 1s", "raise timeout in the settings"),
		"no answer from the token": nothing(3, at(prismsim.Token, prismsim.Fault{Kind: prismsim.FaultHang}), "/core/connect/token", "no answer within 1s", "raise timeout in the settings"),
		"an answer that stops":     untouched(prismsim.Fault{Kind: prismsim.FaultHangMidway}, "nothing came for 1s", "raise timeout in the settings"),
		"an answer that drips":     untouched(prismsim.Fault{Kind: prismsim.FaultDrip, Chunk: 2, Interval: prismsim.Duration(50 * time.Millisecond)}, "bytes came in ", "raise timeout in the settings"),

		"an agreement that is empty": {
			// It was read completely, and what ended is little.
			faults: on(prismsim.Fault{Kind: prismsim.FaultEmpty}), outcome: "succeeded",
			effect: together(all, []string{"subscriptions s-backup active: 1 -> 0", "subscriptions s-backup deactivated_at: null -> set"}),
		},
		"all agreements empty": {
			faults: at(prismsim.Tenants, prismsim.Fault{Kind: prismsim.FaultEmpty}), code: 4, outcome: "held", effect: ofCustomers,
			says: []string{"empty-listing: the distributor listed no"},
		},
		"no customer at all": {
			faults: at(prismsim.Customers, prismsim.Fault{Kind: prismsim.FaultEmpty}), code: 2, outcome: "failed",
			says: []string{"distributor.settings", "no contract agreement", "contract_agreement_ids"},
		},
		"no customer, known agreements": {
			settings: []string{`contract_agreement_ids = ["a-microsoft", "a-backup"]`, `customers_from_tenants = false`},
			faults:   at(prismsim.Customers, prismsim.Fault{Kind: prismsim.FaultEmpty}), code: 4, outcome: "held",
			effect: together(ofMicrosoft, ofBackup), says: []string{"empty-listing: the distributor listed no"},
		},
	}
	for name, run := range runs {
		if strings.Contains(name, "no answer") || strings.Contains(name, "an answer that") {
			run.settings = quick
			runs[name] = run
		}
	}
	return runs
}

// TestBadAnswers tries each bad run: it ends as it should and says why, does to the database nothing that it has not read,
// and the next run catches up.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	first := newPlace(t, switchWorld(), switchBlocks...)
	first.sync("succeeded")
	for name, run := range badRuns() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := copyPlace(t, first, switchWorld())
			run.try(p)
			for _, text := range append(run.silent, secret) {
				if strings.Contains(p.printed.String(), text) {
					t.Errorf("%q was printed:\n%s", text, p.printed.String())
				}
			}
		})
	}
}

func (b *badRun) try(p *place) {
	t, good := p.t, maps.Clone(p.env)
	before := p.contents()
	today(p.world)
	for _, f := range b.faults {
		p.sim.Fail(f)
	}
	maps.Copy(p.env, b.env)
	if b.prepare != nil {
		b.prepare(p)
	}
	p.settings = b.settings
	p.configure(switchBlocks...)
	code, r := p.report()
	if code != b.code || r.Outcome != b.outcome {
		t.Errorf("exit code %d, outcome %q, want %d, %q:\n%s", code, r.Outcome, b.code, b.outcome, p.printed.String())
	}
	if diff := cmp.Diff(b.effect, differences(before.visible(), p.contents().visible()), empty); diff != "" {
		t.Errorf("the effect (-want +got):\n%s", diff)
	}
	p.wants(r.text(), b.says...)
	if len(b.effect) == 0 {
		p.unchanged(before)
	}
	if b.outcome == "failed" {
		p.wants(p.run(0, "runs", "show", "2"), b.says[0], "failed")
	}
	if b.check != nil {
		b.check(p)
	}

	p.sim.ClearFaults()
	p.env, p.settings = good, nil
	p.configure(switchBlocks...)
	if code, r := p.report(); code != 0 {
		t.Errorf("the next good run: exit code %d, %+v", code, r)
	}
	if diff := cmp.Diff(together(ofCustomers, ofMicrosoft, ofBackup), differences(before.visible(), p.contents().visible())); diff != "" {
		t.Errorf("after the next good run (-want +got):\n%s", diff)
	}
	p.sync("no_change")
}

// withTLS serves the place's world with a certificate of the simulator's own.
func (p *place) withTLS() *prismsim.Server {
	p.t.Helper()
	sim := prismsim.New(p.world, prismsim.WithCredentials(prismsim.DemoClientID, secret))
	if err := sim.StartTLS(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = sim.Close() })
	return sim
}

// TestRedirectsElsewhereAreNotFollowed: neither the secret nor a token may reach another host.
func TestRedirectsElsewhereAreNotFollowed(t *testing.T) {
	t.Parallel()
	first := newPlace(t, switchWorld(), switchBlocks...)
	first.sync("succeeded")
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			for endpoint, run := range map[prismsim.Endpoint]badRun{
				prismsim.Token:     {code: 2, outcome: "failed", says: []string{"distributor.settings", "/core/connect/token", "There is no token endpoint at this address"}},
				prismsim.Customers: {code: 1, outcome: "failed", says: []string{"distributor.schema", customersPath, "it points to 127.0.0.1:", "the API may have moved"}},
			} {
				var reached atomic.Int64
				elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
				run.faults = []prismsim.Fault{{Endpoint: endpoint, Kind: prismsim.FaultRedirect, Status: status, Location: elsewhere.URL + customersPath}}
				run.try(copyPlace(t, first, switchWorld()))
				elsewhere.Close()
				if n := reached.Load(); n > 0 {
					t.Errorf("%s: %d requests went to another host", endpoint, n)
				}
			}
		})
	}
}

// report runs a sync, whatever comes of it.
func (p *place) report(args ...string) (int, report) {
	p.t.Helper()
	cmd := p.command(append([]string{"sync", "acme/rhipe", "--json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	p.printed.Write(stdout.Bytes())
	p.printed.Write(stderr.Bytes())
	var r report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		p.t.Fatalf("sync: %v\n%s%s", err, stdout.String(), stderr.String())
	}
	return cmd.ProcessState.ExitCode(), r
}

// empty makes no effect and an empty list of effects the same.
var empty = cmp.Transformer("list", func(list []string) []string { return append([]string{}, list...) })
