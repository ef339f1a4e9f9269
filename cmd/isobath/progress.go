package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a load came: a bar on a terminal, else a line now and then.
type progress struct {
	w     io.Writer
	what  string
	bar   *progressbar.ProgressBar // nil without a terminal
	total int64                    // 0: not known
	rows  int64
	began time.Time
	said  time.Time
}

// lineEvery is the pause between two lines without a terminal.
const lineEvery = 5 * time.Second

func newProgress(w io.Writer, what string, total int64) *progress {
	p := &progress{w: w, what: what, total: total, began: time.Now(), said: time.Now()}
	if isTerminal(w) {
		p.bar = progressbar.NewOptions64(max(total, -1),
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
		p.bar.StartWithoutRender() // otherwise its clock starts with the first rows, and the first rate is absurd
	}
	return p
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Add notes n more rows. total is how many there seem to be in all, 0 when nobody knows.
func (p *progress) Add(n int, total int64) {
	p.rows += int64(n)
	p.total = total
	if p.bar != nil {
		// Finishing the bar is Done's: an estimate may fall short.
		if total = max(total, p.rows+1); total != p.bar.GetMax64() {
			p.bar.ChangeMax64(total)
		}
		_ = p.bar.Set64(p.rows)
		return
	}
	if time.Since(p.said) < lineEvery {
		return
	}
	p.said = time.Now()
	line := fmt.Sprintf("%s: %s rows, %s rows/s", p.what, humanize.Comma(p.rows), humanize.Comma(p.rate()))
	if rate := p.rate(); total > p.rows && rate > 0 {
		left := time.Duration(float64(total-p.rows) / float64(rate) * float64(time.Second))
		line += fmt.Sprintf(", %d %%, %v left", p.rows*100/total, left.Round(time.Second))
	}
	fmt.Fprintln(p.w, line)
}

func (p *progress) rate() int64 {
	return int64(float64(p.rows) / max(time.Since(p.began).Seconds(), 1e-9))
}

// Done removes the bar and says what was done.
func (p *progress) Done() {
	p.Abandon()
	fmt.Fprintf(p.w, "%s: %s rows in %v, %s rows/s\n", p.what, humanize.Comma(p.rows),
		time.Since(p.began).Round(time.Millisecond), humanize.Comma(p.rate()))
}

// Abandon removes the bar.
func (p *progress) Abandon() {
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
	}
}
