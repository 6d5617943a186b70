// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// wrongs spoil a plugin so that it breaks one rule.
var wrongs = map[string]func(*right){
	"process.handshake": func(p *right) {
		p.beforeServe = func() {
			fmt.Println("good morning") //nolint:forbidigo // that is what is wrong with it
			os.Exit(0)
		}
	},
	"describe.alone": func(p *right) {
		p.describe = func(d *distributorv1.DescribeResponse) { d.Vendor = fmt.Sprint(os.Getpid()) }
	},
	"describe.identity": func(p *right) { p.describe = func(d *distributorv1.DescribeResponse) { d.Version = "v1" } },
	"describe.settings": func(p *right) { p.describe = func(d *distributorv1.DescribeResponse) { d.Settings[0].Help = "" } },

	"configure.first": func(p *right) { p.unconfigured, p.failed = true, forget },
	"configure.accepts": func(p *right) {
		p.accept = func(_ string, wrong []*distributorv1.Diagnostic) []*distributorv1.Diagnostic {
			return append(wrong, &distributorv1.Diagnostic{Severity: distributorv1.Severity_SEVERITY_ERROR, Field: "mood", Message: "not today"})
		}
	},
	"configure.required": forgetDiagnostic("missing"),
	"configure.types":    forgetDiagnostic("no URL"),
	"configure.choices":  forgetDiagnostic("good or better"),
	"configure.offline": func(p *right) {
		p.accept = func(url string, wrong []*distributorv1.Diagnostic) []*distributorv1.Diagnostic {
			client := http.Client{Timeout: time.Second}
			if resp, err := client.Get(url + "/customers"); err == nil {
				_ = resp.Body.Close()
			}
			return wrong
		}
	},

	"test.succeeds": func(p *right) {
		p.tested = func(r *distributorv1.TestConnectionResponse) {
			r.Ok, r.Steps[0].Ok = false, false
			r.Steps[0].Error = &distributorv1.ErrorDetail{Class: distributorv1.ErrorClass_ERROR_CLASS_INTERNAL, Message: "no idea"}
		}
	},
	"test.refused": func(p *right) {
		p.tested = func(r *distributorv1.TestConnectionResponse) { r.Ok, r.Steps[0].Ok, r.Steps[0].Error = true, true, nil }
	},

	"listing.complete": func(p *right) {
		p.failed = func(error) error { return &failure{distributorv1.ErrorClass_ERROR_CLASS_INTERNAL, "I lost count"} }
	},
	"listing.order": onEvent(func(e *event) []*event {
		if e.scopeBegin != nil {
			return nil
		}
		return []*event{e}
	}),
	"listing.counts": onEvent(func(e *event) []*event {
		if e.end != nil {
			e.end.Count++
		}
		return []*event{e}
	}),
	"listing.truth": onEvent(func(e *event) []*event {
		if e.scopeEnd != nil {
			e.scopeEnd.Outcome = distributorv1.Outcome_OUTCOME_PARTIAL
		}
		return []*event{e}
	}),
	"listing.refs": onEvent(func(e *event) []*event {
		for _, s := range e.subscriptions {
			s.Ref = "s0"
		}
		return []*event{e}
	}),
	"listing.values": onEvent(func(e *event) []*event {
		for _, s := range e.subscriptions {
			s.Items[0].Quantity = new("many")
		}
		return []*event{e}
	}),
	"listing.size": onEvent(func(e *event) []*event {
		if len(e.subscriptions) > 0 {
			e.subscriptions[0].Name = strings.Repeat("x", wire.MaxSentBytes)
		}
		return []*event{e}
	}),
	"listing.stable": onEvent(func(e *event) []*event {
		for _, s := range e.subscriptions {
			s.Ref = fmt.Sprint(os.Getpid(), "-", s.GetRef())
		}
		return []*event{e}
	}),
	"listing.customer": onEvent(func(e *event) []*event {
		for _, s := range e.subscriptions {
			if len(e.refs) > 0 {
				s.CustomerRef = "somebody else"
			}
		}
		return []*event{e}
	}),
	"listing.cancel": func(p *right) {
		p.listing = func(_ context.Context, p *right) {
			p.calls.Add(1)
			time.AfterFunc(time.Minute, p.calls.Done)
		}
	},
	"listing.deadline": func(p *right) { p.interrupted = func() { os.Exit(1) } },
	"listing.pressure": func(p *right) { p.prefetch = true },
	"listing.memory":   func(p *right) { p.keep = true },

	"sessions.apart": func(p *right) { p.key = shareKey },
	"drain.answers":  func(p *right) { p.neverDrain = true },
	"drain.exits":    func(p *right) { p.afterServe = func() { select {} } },
	"process.orphan": func(p *right) { p.ignoreParent = true },
	"process.stdout": func(p *right) {
		p.listing = func(context.Context, *right) {
			fmt.Println("reading on") //nolint:forbidigo // that is what is wrong with it
		}
	},
	"secret.kept": func(p *right) {
		p.listing = func(_ context.Context, p *right) { fmt.Fprintln(os.Stderr, "with key", p.settings["key"]) }
	},
	// A trouble that is taken for the end of the list.
	"fault": func(p *right) { p.failed = forget },
}

func forget(error) error { return nil }

func forgetDiagnostic(part string) func(*right) {
	return func(p *right) {
		p.accept = func(_ string, wrong []*distributorv1.Diagnostic) []*distributorv1.Diagnostic {
			var kept []*distributorv1.Diagnostic
			for _, d := range wrong {
				if !strings.Contains(d.GetMessage(), part) {
					kept = append(kept, d)
				}
			}
			return kept
		}
	}
}

func onEvent(change func(*event) []*event) func(*right) { return func(p *right) { p.event = change } }

// shareKey uses the key that another process of the same host has used first.
func shareKey(_ context.Context, p *right) string {
	file := filepath.Join(os.TempDir(), "wrongplugin-key-of-host-"+os.Getenv(wire.EnvParentPID))
	if key, err := os.ReadFile(file); err == nil {
		return string(key)
	}
	_ = os.WriteFile(file, []byte(p.settings["key"]), 0o600)
	return p.settings["key"]
}
