// SPDX-License-Identifier: Apache-2.0

// Prismsim serves the simulator of PRISM, the partner API behind the Rhipe plugin, until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// Exit codes, as tallyman's.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are what the flags say.
type options struct {
	listen, data, clientID, secretFile, certificate string
	tls, control, printConfig, verbose              bool
	subscriptions, customers, day                   int
	seed                                            uint64
}

const usage = `Usage: prismsim [flags]

Serves a simulator of PRISM for the Rhipe plugin until it is interrupted.

  prismsim -print-config                            the demonstration's data, and how to point tallyman at it
  prismsim -data generated -subscriptions 100000    a large distributor
  prismsim -control                                 with http://127.0.0.1:8085/_control/ to spoil answers and edit data

Flags:
`

// parse reads the flags. Its error has been told to stderr.
func parse(args []string, stderr io.Writer) (*options, error) {
	var o options
	f := flag.NewFlagSet("prismsim", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		_, _ = io.WriteString(stderr, usage)
		f.PrintDefaults()
	}
	f.StringVar(&o.listen, "listen", "127.0.0.1:8085", "`address` to listen on; port 0 picks a free one")
	f.BoolVar(&o.tls, "tls", false, "speak TLS with a certificate made for this run")
	f.StringVar(&o.certificate, "certificate", "", "`file` to write that certificate to, for SSL_CERT_FILE")
	f.StringVar(&o.data, "data", "demo", "what is served: demo, empty or generated")
	f.IntVar(&o.subscriptions, "subscriptions", 1000, "subscriptions of generated data, add-ons included")
	f.IntVar(&o.customers, "customers", 0, "customers of generated data; 0 is one for each twenty subscriptions")
	f.Uint64Var(&o.seed, "seed", 1, "seed of generated data")
	f.IntVar(&o.day, "day", 1, "day the data is on, from 1; the demonstration's has days 1 to 4")
	f.BoolVar(&o.control, "control", false, "open the control endpoint to callers on this machine")
	f.StringVar(&o.clientID, "client-id", prismsim.DemoClientID, "client `id` that is let in")
	f.StringVar(&o.secretFile, "client-secret-file", "", "`file` that holds the client secret; by default the demonstration's secret")
	f.BoolVar(&o.printConfig, "print-config", false, "print the module block that points tallyman here")
	f.BoolVar(&o.verbose, "verbose", false, "log every call")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	err := o.check()
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected %q: there are flags only", f.Arg(0))
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "prismsim: %v\nRun prismsim -help for the flags.\n", err)
	}
	return &o, err
}

func (o *options) check() error {
	switch {
	case o.data != "demo" && o.data != "empty" && o.data != "generated":
		return fmt.Errorf("-data %q is none of demo, empty, generated", o.data)
	case o.subscriptions < 0 || o.customers < 0:
		return errors.New("-subscriptions and -customers must not be negative")
	case max(o.subscriptions, o.customers) >= 1<<31:
		return errors.New("-subscriptions and -customers must be less than 2^31")
	case o.clientID == "":
		return errors.New("-client-id must not be empty")
	case o.certificate != "" && !o.tls:
		return errors.New("-certificate needs -tls")
	}
	return nil
}

func (o *options) source() prismsim.Source {
	switch o.data {
	case "generated":
		return prismsim.NewGenerated(prismsim.GeneratedOptions{Subscriptions: o.subscriptions, Customers: o.customers, Seed: o.seed})
	case "empty":
		w := prismsim.NewWorld(prismsim.Customer{Name: "Empty Quay IT Pty Ltd"})
		w.AddAgreement(prismsim.Agreement{})
		return w
	default:
		return prismsim.Demo()
	}
}

func (o *options) secret() (string, error) {
	if o.secretFile == "" {
		return prismsim.DemoClientSecret, nil
	}
	b, err := os.ReadFile(o.secretFile)
	if err != nil {
		return "", fmt.Errorf("read the client secret: %w", err)
	}
	secret := strings.TrimRight(string(b), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("read the client secret: %s is empty", o.secretFile)
	}
	return secret, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		return exitUsage
	}
	level := hclog.Info
	if o.verbose {
		level = hclog.Debug
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "prismsim", Level: level, Output: stderr})
	if err := o.serve(ctx, logger, stdout); err != nil {
		_, _ = fmt.Fprintf(stderr, "prismsim: %v\n", err)
		return exitFailed
	}
	return exitDone
}

func (o *options) serve(ctx context.Context, logger hclog.Logger, stdout io.Writer) error {
	secret, err := o.secret()
	if err != nil {
		return err
	}
	with := []prismsim.Option{prismsim.WithCredentials(o.clientID, secret), prismsim.WithLogger(logger)}
	if o.control {
		with = append(with, prismsim.WithControl())
	}
	s := prismsim.New(o.source(), with...)
	if err := s.SetDay(o.day); err != nil {
		return err
	}
	if err := s.Listen(o.listen, o.tls); err != nil {
		return err
	}
	if err := o.announce(s, logger, stdout); err != nil {
		return errors.Join(err, s.Close())
	}
	<-ctx.Done()
	logger.Info("ending", "writes", len(s.Writes()))
	return s.Close()
}

// announce says where the simulator is, once it can be reached.
func (o *options) announce(s *prismsim.Server, logger hclog.Logger, stdout io.Writer) error {
	if o.certificate != "" {
		if err := os.WriteFile(o.certificate, s.CertificatePEM(), 0o600); err != nil {
			return fmt.Errorf("write the certificate: %w", err)
		}
	}
	if o.printConfig {
		text, err := o.config(s)
		if err == nil {
			_, err = stdout.Write(text)
		}
		if err != nil {
			return fmt.Errorf("print the configuration: %w", err)
		}
	}
	logger.Info("serving", "api", s.APIURL(), "token", s.TokenURL(), "control", s.ControlURL(), "data", o.data, "day", s.Day())
	return nil
}

// config is the module block that points tallyman at the simulator. A secret of the user's own is named by its file.
func (o *options) config(s *prismsim.Server) ([]byte, error) {
	f := hclwrite.NewEmptyFile()
	settings := f.Body().AppendNewBlock("module", []string{"rhipe"}).Body().AppendNewBlock("settings", nil).Body()
	settings.SetAttributeValue("client_id", cty.StringVal(o.clientID))
	if o.secretFile == "" {
		settings.SetAttributeValue("client_secret", cty.StringVal(prismsim.DemoClientSecret))
	} else {
		path, err := filepath.Abs(o.secretFile)
		if err != nil {
			return nil, err
		}
		settings.SetAttributeRaw("client_secret", hclwrite.TokensForFunctionCall("file", hclwrite.TokensForValue(cty.StringVal(path))))
	}
	settings.SetAttributeValue("api_base_url", cty.StringVal(s.APIURL()))
	settings.SetAttributeValue("token_url", cty.StringVal(s.TokenURL()))
	if !o.tls && !onLoopback(s.APIURL()) {
		settings.SetAttributeValue("allow_http", cty.True)
	}
	return hclwrite.Format(f.Bytes()), nil
}

func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}
