// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// TestHugeAnswers reads the greatest memory of both processes while the plugin waits for the answer after the huge one.
func TestHugeAnswers(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	first := newPlace(t, switchWorld(), switchBlocks...)
	first.sync("succeeded")
	for name, c := range map[string]struct {
		fault prismsim.Fault
		run   badRun
		// host and plugin are what each may take, in MiB. The race detector is not counted on.
		host, plugin int
	}{
		"50 MiB of white space": {
			prismsim.Fault{Endpoint: prismsim.Tenants, ID: "a-microsoft", Kind: prismsim.FaultPadding},
			badRun{outcome: "succeeded", effect: together(ofCustomers, ofMicrosoft, ofBackup)},
			100, 60,
		},
		"a text of 50 MiB": {
			prismsim.Fault{Endpoint: prismsim.Tenants, ID: "a-microsoft", Kind: prismsim.FaultHuge},
			badRun{outcome: "succeeded", effect: together(ofCustomers, ofMicrosoft, ofBackup)},
			100, 400,
		},
		"a text of 500 MiB": {
			prismsim.Fault{Endpoint: prismsim.Tenants, ID: "a-microsoft", Kind: prismsim.FaultHuge, Bytes: 500 << 20},
			badRun{
				outcome: "warning", effect: together(ofCustomers, ofBackup),
				says: []string{"contract agreement a-microsoft (Microsoft CSP Indirect) could not be read; nothing of it was touched", "element 1 is larger than the limit of 64.0 MiB"},
			},
			100, 400,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := copyPlace(t, first, switchWorld())
			reached, release := make(chan struct{}), make(chan struct{})
			// The agreements are read for the customers and for the subscriptions, the huge one first.
			p.sim.Script(prismsim.Step{After: prismsim.Tenants, ID: "a-backup", Calls: 2, Do: func(*prismsim.Server) {
				close(reached)
				<-release
			}})
			c.run.faults = []prismsim.Fault{c.fault}
			peaks := make(chan map[string]int, 1)
			go func() {
				<-reached
				peaks <- p.peaks()
				close(release)
			}()
			c.run.try(p)
			if !p.sim.ScriptDone() {
				t.Fatal("the plugin never came to the answer after the huge one")
			}
			peak := <-peaks
			t.Logf("host %d MiB, plugin %d MiB", peak["tallyman"]/mebibyte, peak["tallyman-plugin-rhipe"]/mebibyte)
			for program, most := range map[string]int{"tallyman": c.host, "tallyman-plugin-rhipe": c.plugin} {
				if got := peak[program] / mebibyte; got == 0 || got > most {
					t.Errorf("%s took %d MiB, want at most %d", program, got, most)
				}
			}
		})
	}
}

// peaks gives the greatest resident memory of this place's processes so far, in bytes, by the program's name.
func (p *place) peaks() map[string]int {
	found := map[string]int{}
	for _, process := range p.processes() {
		dir := filepath.Join("/proc", strconv.Itoa(process.pid))
		program, err := os.Readlink(filepath.Join(dir, "exe"))
		if err != nil {
			continue
		}
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if kibibytes, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				n, _ := strconv.Atoi(strings.Fields(kibibytes)[0])
				found[filepath.Base(program)] = max(found[filepath.Base(program)], n<<10)
			}
		}
	}
	return found
}
