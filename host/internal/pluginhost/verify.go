// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// binaryFile is a plugin's file, read once: what was hashed, and which file that was.
type binaryFile struct {
	// path is as given, real is what it leads to.
	path, real string
	sum        [sha256.Size]byte
	// info is of the opened file, before it was read.
	info os.FileInfo
	// script is whether the file is run by an interpreter.
	script bool
}

// readBinary hashes a plugin's file and, except for development, refuses one that anybody may change.
func readBinary(name, path string, dev bool) (*binaryFile, error) {
	b := &binaryFile{path: path}
	var err error
	var f *os.File
	if b.real, err = filepath.EvalSymlinks(path); err == nil {
		f, err = os.Open(b.real)
	}
	if err != nil {
		if os.IsNotExist(err) {
			return nil, fail(CodeNotFound, "", "plugin %q: there is no file %s", name, path)
		}
		return nil, fail(CodeStart, "The user that runs the host must be able to read the file.",
			"plugin %q cannot be read", name).because(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	if b.info, err = f.Stat(); err != nil {
		return nil, fail(CodeStart, "", "plugin %q cannot be looked at", name).because(err)
	}
	if !b.info.Mode().IsRegular() {
		return nil, fail(CodeNotAPlugin, "", "plugin %q: %s is not a file", name, path)
	}
	if !dev {
		if err := refuseWritable(name, b); err != nil {
			return nil, err
		}
	}
	h := sha256.New()
	head := make([]byte, 2)
	n, err := io.ReadFull(f, head)
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		h.Write(head[:n])
		b.script = string(head[:n]) == "#!"
		// Hidden from io.CopyBuffer is that f would copy itself, in small pieces.
		_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 256<<10))
	}
	if err != nil {
		return nil, fail(CodeStart, "", "plugin %q cannot be read", name).because(err)
	}
	h.Sum(b.sum[:0])
	return b, nil
}

// same reports whether info is of the very file that was hashed, unchanged since.
func (b *binaryFile) same(info os.FileInfo) bool {
	return os.SameFile(b.info, info) && b.info.Size() == info.Size() && b.info.ModTime().Equal(info.ModTime()) &&
		changeTime(b.info) == changeTime(info)
}

// refuseWritable refuses a file that anybody may change, or replace through its directory.
func refuseWritable(name string, b *binaryFile) error {
	if writableByAll(b.info) {
		return fail(CodeWritable, fmt.Sprintf("Run \"chmod o-w %s\", then check that the file is still the vendor's.", b.real),
			"plugin %q: anybody on this machine may change %s", name, b.real)
	}
	for _, dir := range []string{filepath.Dir(b.path), filepath.Dir(b.real)} {
		info, err := os.Stat(dir)
		if err != nil {
			return fail(CodeStart, "", "plugin %q: its directory cannot be looked at", name).because(err)
		}
		if writableByAll(info) {
			return fail(CodeWritable, fmt.Sprintf("Run \"chmod o-w %s\", then check that the files are still the vendors'.", dir),
				"plugin %q: anybody on this machine may replace files in %s", name, dir)
		}
	}
	return nil
}

// Verify hashes an installed plugin and compares it with the lock file. It gives the sum to launch it with. The error
// is a *ChecksumError when the file is another one, and has CodeUnlisted when the lock file does not name it.
func Verify(in Installed, lock *LockFile) ([]byte, error) {
	want, err := lock.SHA256(in.Name)
	if err != nil {
		return nil, err
	}
	b, err := readBinary(in.Name, in.Path, false)
	if err != nil {
		return nil, err
	}
	if err := b.check(in.Name, want); err != nil {
		return nil, err
	}
	return want, nil
}

func (b *binaryFile) check(name string, want []byte) error {
	if string(want) == string(b.sum[:]) {
		return nil
	}
	return &ChecksumError{Name: name, File: b.path, Expected: hex.EncodeToString(want), Actual: hex.EncodeToString(b.sum[:])}
}
