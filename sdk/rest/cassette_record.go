// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// maxTaped bounds what is kept of one answer, which is in memory until its secrets are taken out.
const maxTaped = 64 << 20

// fileEnd is how the files of a cassette end.
const fileEnd = ".http"

// recorder writes exchanges into a folder of its own, which takes the cassette's place in the end.
type recorder struct {
	folder, draft string
	problems      problems

	mu    sync.Mutex
	begun int
	open  int
	kept  int
}

func newRecorder(folder string) (*recorder, error) {
	folder = filepath.Clean(folder)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), fileEnd) {
			return nil, fmt.Errorf("the folder holds %s, which is not of a cassette; name a folder of its own", entry.Name())
		}
	}
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o750); err != nil {
		return nil, err
	}
	draft, err := os.MkdirTemp(parent, filepath.Base(folder)+".recording-*")
	if err != nil {
		return nil, err
	}
	return &recorder{folder: folder, draft: draft}, nil
}

// begin gives the number of an exchange. The caller must call end or keep.
func (r *recorder) begin() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun++
	r.open++
	return r.begun
}

func (r *recorder) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
}

func (r *recorder) fail(err error) {
	r.problems.add("%v", err)
	r.end()
}

// keep writes an exchange without secrets.
func (r *recorder) keep(number int, e *Exchange) {
	var b bytes.Buffer
	err := e.write(&b)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.draft, fileName(number, e)), b.Bytes(), 0o600)
	}
	if err != nil {
		r.fail(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	r.kept++
}

// fileName says which request it is: "0003-GET-v1-customers.http".
func fileName(number int, e *Exchange) string {
	path, _, _ := strings.Cut(e.key(), "?")
	words := strings.FieldsFunc(path, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	if e.token {
		words = []string{"token"}
	}
	name := strings.Join(words, "-")
	return fmt.Sprintf("%04d-%s%s", number, name[:min(len(name), 80)], fileEnd)
}

func (r *recorder) close() error {
	r.mu.Lock()
	open, kept := r.open, r.kept
	r.mu.Unlock()
	if open > 0 {
		r.problems.add("%d answers are still being read; close the cassette when the plugin has ended", open)
	}
	if kept == 0 {
		r.problems.add("nothing was asked for")
	}
	if err := r.problems.err(); err != nil {
		return errors.Join(err, os.RemoveAll(r.draft))
	}
	if err := os.RemoveAll(r.folder); err != nil {
		return err
	}
	return os.Rename(r.draft, r.folder)
}

func tooLong(e *Exchange) error {
	return fmt.Errorf("the answer to %s is larger than %s; record a smaller one", shown(e), byteSize(maxTaped))
}

// tap keeps what is read from an answer as it is read.
type tap struct {
	io.ReadCloser
	kept  bytes.Buffer
	over  bool
	once  sync.Once
	ended func(body []byte, whole bool)
	// lost is called in place of ended where the answer was too long.
	lost func()
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if t.over = t.over || t.kept.Len()+n > maxTaped; t.over {
		t.kept = bytes.Buffer{}
	} else {
		t.kept.Write(p[:n])
	}
	if err != nil {
		t.end(errors.Is(err, io.EOF))
	}
	return n, err
}

// Close ends an answer that was not read to its end.
func (t *tap) Close() error {
	t.end(false)
	return t.ReadCloser.Close()
}

func (t *tap) end(whole bool) {
	t.once.Do(func() {
		if t.over {
			t.lost()
			return
		}
		t.ended(t.kept.Bytes(), whole)
	})
}
