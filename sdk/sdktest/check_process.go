// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// drainTime is what a host grants.
const drainTime = 5 * time.Second

func (s *session) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	_, err := s.rpc.Drain(ctx, &distributorv1.DrainRequest{DeadlineMilliseconds: drainTime.Milliseconds()})
	if err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

func checkDrain(ctx context.Context, b *bench) error {
	s, err := b.connect(ctx, nil)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.drain(ctx); err != nil {
		return err
	}
	for _, k := range kinds {
		if h := s.list(ctx, k, nil, onlyCount); h.complete() || h.count > 0 {
			return fmt.Errorf("after Drain, %s", h)
		}
	}
	return nil
}

// exitTime is how long a process may take to exit: a host kills it after a second, a busy machine is slower.
const exitTime = 3 * time.Second

func checkExit(ctx context.Context, b *bench) error {
	s, err := b.connect(ctx, nil)
	if err != nil {
		return err
	}
	if s.process == nil {
		s.close()
		return missing("only over a process")
	}
	err = s.drain(ctx)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.close() // It asks first and kills after two seconds.
	}()
	inTime := s.process.ended(exitTime)
	<-closed
	switch {
	case err != nil:
		return err
	case !inTime:
		return fmt.Errorf("%s after it was told to, it has not exited", exitTime)
	case s.process.err != nil:
		return fmt.Errorf("it had to be killed, or ended with %w", s.process.err)
	}
	return nil
}

// checkStdout looks at what was printed, over a whole session.
func checkStdout(ctx context.Context, b *bench) error {
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	if s.process == nil {
		s.close()
		return missing("only over a process")
	}
	if b.Settings != nil {
		if _, err = s.configure(ctx, b, b.Settings); err == nil {
			for _, k := range kinds {
				s.list(ctx, k, nil, onlyCount)
			}
		}
	}
	s.close()
	if printed := s.process.printed(); len(printed) > 0 {
		return errors.Join(err, fmt.Errorf("it prints %q", printed))
	}
	return err
}

// checkSecrets looks for the secrets of the settings, and the wrong one, in all that was said, in the forms they take on the
// way.
func checkSecrets(ctx context.Context, b *bench) error {
	d, err := b.described(ctx)
	if err != nil {
		return err
	}
	said := b.texts.String()
	found := 0
	for _, f := range d.GetSettings() {
		if !f.GetSecret() {
			continue
		}
		secrets := []string{wrongSecret}
		if text, ok := b.Settings[f.GetName()].(string); ok && len(text) >= 4 {
			secrets = append(secrets, text)
		}
		for _, secret := range secrets {
			for form, text := range map[string]string{
				"as it is": secret, "in base64": base64.StdEncoding.EncodeToString([]byte(secret)), "in hexadecimal": hex.EncodeToString([]byte(secret)),
				"as in a URL": url.QueryEscape(secret),
			} {
				if strings.Contains(said, text) {
					return fmt.Errorf("the secret setting %q is in what the plugin says, %s", f.GetName(), form)
				}
			}
		}
		found++
	}
	if found == 0 {
		return missing("the plugin has no secret setting")
	}
	return nil
}
