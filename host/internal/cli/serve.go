// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/schedule"
	"github.com/tallymanhq/tallyman/host/internal/store"
	"github.com/tallymanhq/tallyman/host/internal/telemetry"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run modules when their schedules say so, until told to stop", Args: cobra.NoArgs,
		Long: "Run modules when their schedules say so, until told to stop.\n\n" +
			"Set a schedule in the module's block: schedule { daily_at = \"02:15\" }. A time that was missed, because the\n" +
			"program was not running, is made up for once. A run that fails is repeated after serve.retry_wait, which\n" +
			"doubles each time; a module whose credentials are refused serve.max_refused times in a row is stopped until\n" +
			"\"tallyman sync\" gets through by hand. serve.max_runs says how many runs are made at once; those of one\n" +
			"tenant are made one after another, and after each it is the others' turn.\n\n" +
			"\"tallyman sync --queue\" asks for a run, \"tallyman pause\" keeps every host from it.\n\n" +
			"SIGHUP, or a change of the configuration's files, reads the configuration anew; one that is wrong is refused\n" +
			"and the old one stays. SIGTERM or Ctrl-C starts no more runs and waits serve.drain for those under way; what\n" +
			"takes longer is cancelled and made anew at the next start. Nothing half done is kept.\n\n" +
			"Several hosts may serve one PostgreSQL: each module is run by one of them at a time, and by another if that one dies.\n" +
			"To upgrade them, run \"tallyman db migrate\" with the new version, then replace one host after the other: those of the\n" +
			"version before go on meanwhile. Where they cannot, they end by themselves, change nothing, and say so.\n\n" +
			"With serve.listen, /healthz answers 200 while the program works, /readyz while it takes up runs, too, and /metrics\n" +
			"tells Prometheus how every module is doing: see configs/prometheus and configs/grafana. Nobody is asked who they are,\n" +
			"so listen where only your monitoring gets to.\n" +
			"configs/systemd/tallyman-serve.service runs it under systemd.",
		Example: "  tallyman serve\n  tallyman serve --set serve.listen=127.0.0.1:8470",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
}

// server runs what is due by the configuration it has read last.
type server struct {
	store *store.Store
	loop  *schedule.Loop
	log   hclog.Logger
	// asked is the command line as it was given, current the same with the configuration that counts.
	asked, current *app
	files          *watch
	metrics        *telemetry.Metrics
	// end ends the program, for the reason given.
	end     context.CancelCauseFunc
	telling *telling
}

// serve runs what is due until ctx ends and the runs under way have ended, too.
func (a *app) serve(ctx context.Context) error {
	asked, files := *a, newWatch(a.configPaths)
	c, err := a.load()
	if err != nil {
		return err
	}
	a.sayMore()
	s, err := a.openStore(ctx, false)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // everything was written or rolled back
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	log := a.log()
	v := &server{store: s, loop: schedule.NewLoop(log), log: log, asked: &asked, current: a, files: files, telling: newTelling(log), end: end}
	if v.metrics, err = v.measure(); err != nil {
		return err
	}
	health, err := v.listen(ctx, c.Serve.Listen)
	if err != nil {
		return err
	}
	defer health.close()
	if err := v.take(ctx, a); err != nil {
		return err
	}

	// The watch ends before the loop has drained: a configuration read meanwhile would come too late.
	var watching sync.WaitGroup
	watching.Go(func() { v.watch(ctx) })
	watching.Go(func() { v.present(ctx) })
	ended := make(chan struct{})
	watching.Go(func() { v.telling.serve(ctx, ended) })
	v.loop.Serve(ctx)
	close(ended)
	watching.Wait()
	log.Info("ended")
	if cause := context.Cause(ctx); outdated(cause) {
		return cause
	}
	return nil
}

// fitsEvery is how often the schema of the database is looked at.
const fitsEvery = time.Minute

// outdated reports whether the database has come to need a newer program.
func outdated(err error) bool {
	var problem *store.Error
	return errors.As(err, &problem) && problem.Kind == store.KindNewer
}

// sayMore makes the log tell of every run, unless somebody has said what it is to tell.
func (a *app) sayMore() {
	if a.logLevel == "" && a.config.Origin("log.level").Kind == "" {
		a.logLevel = "info"
	}
}

// watch reads the configuration anew whenever it is asked to or a file has changed, until ctx ends.
func (v *server) watch(ctx context.Context) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	fits := time.NewTicker(fitsEvery)
	defer fits.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			v.reload(ctx, "SIGHUP")
		case <-fits.C:
			if err := v.store.Fits(ctx); outdated(err) {
				v.end(err)
			}
		case <-v.files.tick():
			if v.files.changed() {
				v.reload(ctx, "its files changed")
			}
		}
	}
}

// reload reads the configuration anew. One that cannot be used changes nothing.
func (v *server) reload(ctx context.Context, why string) {
	next := *v.asked
	c, err := next.load()
	if err == nil {
		next.sayMore()
		err = v.fits(c)
	}
	if err == nil {
		err = v.take(ctx, &next)
	}
	if err != nil {
		if ctx.Err() == nil {
			v.log.Error("REFUSED the new configuration; the old one stays", "reason", why, "error", err)
		}
		return
	}
	v.log.Info("took the new configuration", "reason", why)
}

// fits refuses what cannot change while the program runs.
func (v *server) fits(c *config.Config) error {
	was := v.current.config
	for _, fixed := range []struct {
		name    string
		changed bool
	}{
		{"database.url", was.Database.URL.Reveal() != c.Database.URL.Reveal()},
		{"traces.endpoint", was.Traces.Endpoint != c.Traces.Endpoint},
		{"serve.listen", was.Serve.Listen != c.Serve.Listen},
	} {
		if fixed.changed {
			return usagef("%s cannot be changed while tallyman serve runs; restart it", fixed.name)
		}
	}
	return nil
}
