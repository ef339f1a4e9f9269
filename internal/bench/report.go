package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// reportFormat is raised when a reader of reports must change.
const reportFormat = 1

// Report is everything a run found. Its JSON is meant for programs: fields are only added.
type Report struct {
	Format  int       `json:"format"`
	Started time.Time `json:"started"`
	Machine Machine   `json:"machine"`
	Set     SetInfo   `json:"set"`
	Config  Config    `json:"config"`
	Modes   []*Mode   `json:"modes"`
}

// SetInfo describes the data.
type SetInfo struct {
	Name    string `json:"name"`
	Metric  string `json:"metric"`
	Rows    int    `json:"rows"`
	Dim     int    `json:"dim"`
	Queries int    `json:"queries"`
	Key     string `json:"key"`
}

// Mode is the outcome of one mode.
type Mode struct {
	Name    string     `json:"name"`
	Seconds float64    `json:"seconds"`
	Before  Conditions `json:"before"`
	After   Conditions `json:"after"`
	Steal   float64    `json:"steal_share"` // of processor time that the hypervisor took meanwhile
	// Foreign is the share of processor time that neither this process nor its children used, MajorFaults how many pages they
	// had to read from disk.
	Foreign     float64  `json:"foreign_share"`
	MajorFaults int64    `json:"major_faults"`
	Notes       []string `json:"notes"`
	Tables      []*Table `json:"tables"`

	began time.Time
	out   io.Writer
}

func newReport(r *Run) *Report {
	return &Report{
		Format: reportFormat, Started: time.Now().UTC(), Machine: machine(), Config: r.Config, Modes: []*Mode{},
		Set: SetInfo{r.set.Name, string(r.set.Metric), r.set.Rows, r.set.Dim, r.set.Queries.Len(), r.set.Key()},
	}
}

// Report returns what was found so far.
func (r *Run) Report() *Report { return r.report }

// begin starts a mode in the report and prints its heading.
func (r *Run) begin(name string) *Mode {
	m := &Mode{Name: name, Before: conditions(), Notes: []string{}, Tables: []*Table{}, began: time.Now(), out: r.Out}
	r.report.Modes = append(r.report.Modes, m)
	fmt.Fprintf(r.Out, "%s: %s, %d x %d, %s, k %d, m %d, ef_construct %d\n", name, r.set.Name, r.set.Rows, r.set.Dim,
		r.set.Metric, r.K, r.M, r.EfConstruct)
	return m
}

// end closes the mode and prints the conditions.
func (m *Mode) end() {
	m.After, m.Seconds = conditions(), time.Since(m.began).Seconds()
	m.Steal, m.Foreign = m.After.cpu.stealSince(m.Before.cpu), m.After.foreignSince(&m.Before)
	m.MajorFaults = m.After.own.majorFaults - m.Before.own.majorFaults
	fmt.Fprintf(m.out, "took %.0f s, load %s, stolen %.1f %%, used by others %.1f %%, %d pages read by faults\n\n",
		m.Seconds, m.After.LoadAverage, 100*m.Steal, 100*m.Foreign, m.MajorFaults)
	if m.Steal > 0.02 {
		m.note("void: the hypervisor took more than a fiftieth of the processors")
	}
}

// note keeps and prints a remark.
func (m *Mode) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	m.Notes = append(m.Notes, text)
	fmt.Fprintln(m.out, "note:", text)
}

// Table is rows of named values. Names end in their unit: _us, _ms, _s, _bytes, _share; rates are
// per second.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]any
}

// table starts a table of the mode.
func (m *Mode) table(title string, columns ...string) *Table {
	t := &Table{Title: title, Columns: columns}
	m.Tables = append(m.Tables, t)
	return t
}

// add appends a row; values are strings, integers, floats and nil for what was not measured.
func (t *Table) add(values ...any) {
	if len(values) != len(t.Columns) {
		panic(fmt.Sprintf("bench: %d values for %v", len(values), t.Columns))
	}
	t.Rows = append(t.Rows, values)
}

// print writes the table as text.
func (m *Mode) print(t *Table) {
	fmt.Fprintf(m.out, "\n%s\n", t.Title)
	w := tabwriter.NewWriter(m.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  "+strings.Join(t.Columns, "\t"))
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = cell(t.Columns[i], v)
		}
		fmt.Fprintln(w, "  "+strings.Join(cells, "\t"))
	}
	_ = w.Flush() // of the writer that Fprintln above does not check either
	fmt.Fprintln(m.out)
}

// cell formats one value.
func cell(column string, v any) string {
	switch x := v.(type) {
	case nil:
		return "-"
	case float64:
		switch {
		case math.IsNaN(x):
			return "-"
		case strings.HasSuffix(column, "recall"), strings.HasSuffix(column, "_share"):
			return strconv.FormatFloat(x, 'f', 4, 64)
		case math.Abs(x) >= 1000:
			return strconv.FormatFloat(x, 'f', 0, 64)
		case math.Abs(x) >= 100:
			return strconv.FormatFloat(x, 'f', 1, 64)
		}
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return fmt.Sprint(v)
}

// MarshalJSON writes rows as objects, their values in the order of the columns.
func (t *Table) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	title, err := json.Marshal(t.Title)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, `{"title":%s,"rows":[`, title)
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range row {
			b.WriteByte("{,"[min(j, 1)])
			if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
				v = nil
			}
			value, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&b, "%q:%s", t.Columns[j], value)
		}
		b.WriteByte('}')
	}
	b.WriteString("]}")
	return b.Bytes(), nil
}
