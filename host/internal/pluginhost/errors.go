// SPDX-License-Identifier: Apache-2.0

package pluginhost

import "fmt"

// The codes of this package's errors. A code, once released, keeps its meaning.
const (
	// CodeNotFound: no such plugin is installed.
	CodeNotFound = "plugin.not_found"
	// CodeUnlisted: the lock file does not name the plugin, or not for this platform.
	CodeUnlisted = "plugin.unlisted"
	// CodeChecksum: the file is not the one the lock file names.
	CodeChecksum = "plugin.checksum"
	// CodeWritable: anybody may change the file or its directory.
	CodeWritable = "plugin.writable"
	// CodeLockFile: the lock file cannot be read or written.
	CodeLockFile = "plugin.lock_file"
	// CodeNotExecutable: the file may not be executed.
	CodeNotExecutable = "plugin.not_executable"
	// CodePlatform: the file is a program for another operating system or processor.
	CodePlatform = "plugin.platform"
	// CodeNotAPlugin: the program ran and is not a plugin.
	CodeNotAPlugin = "plugin.not_a_plugin"
	// CodeStdout: the plugin wrote to its standard output before the handshake.
	CodeStdout = "plugin.stdout"
	// CodeProtocolVersion: the plugin speaks another version of the protocol.
	CodeProtocolVersion = "plugin.protocol_version"
	// CodeHostVersion: the plugin works with other versions of the host.
	CodeHostVersion = "plugin.host_version"
	// CodeName: the plugin calls itself otherwise than its file.
	CodeName = "plugin.name"
	// CodeStart: the plugin could not be started for another reason.
	CodeStart = "plugin.start"
	// CodeStartTimeout: the plugin did not start in time.
	CodeStartTimeout = "plugin.start_timeout"
	// CodeCrashed: the process ended when it should not have.
	CodeCrashed = "plugin.crashed"
	// CodeHangs: the plugin lives and says nothing.
	CodeHangs = "plugin.hangs"
	// CodeMessageTooLarge: the plugin sent a message above the limit.
	CodeMessageTooLarge = "plugin.message_too_large"
	// CodeProtocol: the plugin broke the rules of the contract.
	CodeProtocol = "plugin.protocol"
	// CodeClosed: the process was already closed.
	CodeClosed = "plugin.closed"
)

// Error is a failure of a plugin or of what surrounds it. Its text says what happened and to which file; Hint says
// what to do. What the plugin itself reports about the distributor is an *sdk.Error instead.
type Error struct {
	code, message, hint string
	err                 error
}

// Error gives the message, and the cause where there is one.
func (e *Error) Error() string {
	if e.err != nil {
		return fmt.Sprintf("%s: %v", e.message, e.err)
	}
	return e.message
}

// Code gives one of the codes of this package: "plugin.not_found".
func (e *Error) Code() string { return e.code }

// Hint says what a person can do. It may be empty.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.err }

func fail(code, hint, format string, args ...any) *Error {
	return &Error{code: code, hint: hint, message: fmt.Sprintf(format, args...)}
}

// because adds a cause.
func (e *Error) because(err error) *Error {
	e.err = err
	return e
}

// ChecksumError says that a plugin's file is not the one that was locked. The program was not run.
type ChecksumError struct {
	// Name is the plugin's, File the path of its binary.
	Name, File string
	// Expected and Actual are sha256 sums in hexadecimal.
	Expected, Actual string
}

// Error names the file and both sums.
func (e *ChecksumError) Error() string {
	return fmt.Sprintf("plugin %q: %s is not the file that was locked: its sha256 is %s, the lock file says %s",
		e.Name, e.File, e.Actual, e.Expected)
}

// Code gives CodeChecksum.
func (e *ChecksumError) Code() string { return CodeChecksum }

// Hint gives the remedy.
func (e *ChecksumError) Hint() string {
	return fmt.Sprintf("If you changed it on purpose, run \"tallyman plugin lock %s\". "+
		"If not, replace the file by the one from its vendor before anything runs it.", e.Name)
}
