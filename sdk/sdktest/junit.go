// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"encoding/xml"
	"fmt"
	"io"
)

// junitSuites is a report in the format that build servers call JUnit XML.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Seconds  string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Seconds string     `xml:"time,attr"`
	Failure *junitText `xml:"failure,omitempty"`
	Skipped *junitText `xml:"skipped,omitempty"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML: a test case for each rule, skipped if it was not checked.
func (r *Report) WriteJUnit(w io.Writer) error {
	name := r.Plugin
	if name == "" {
		name = "plugin"
	}
	suite := junitSuite{Name: name, Tests: len(r.Results), Failures: r.Count(Failed), Skipped: r.Count(NotChecked)}
	var total float64
	for i := range r.Results {
		result := &r.Results[i]
		seconds := result.Took.Seconds()
		total += seconds
		one := junitCase{Name: result.Rule, Class: name, Seconds: inSeconds(seconds)}
		switch result.Outcome {
		case Failed:
			one.Failure = &junitText{Message: result.Demand, Text: result.Seen + "\nThe rule: " + result.Where}
		case NotChecked:
			one.Skipped = &junitText{Message: result.Seen}
		case Passed:
		}
		suite.Cases = append(suite.Cases, one)
	}
	suite.Seconds = inSeconds(total)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suites: []junitSuite{suite}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func inSeconds(s float64) string { return fmt.Sprintf("%.3f", s) }
