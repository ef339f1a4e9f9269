package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/isobath/isobath/cmd/isobath/demo"
	"github.com/isobath/isobath/internal/client"
	"github.com/spf13/cobra"
)

// demoRun is one run of the demo.
type demoRun struct {
	http     *client.HTTP
	respAddr string
	password string
	dir      string // of the query files
	programs []demo.Program
	encoder  *demo.Encoder
	out      io.Writer
	progress io.Writer
	asked    int // questions so far
}

func newDemo() *cobra.Command {
	d := &demoRun{http: &client.HTTP{}}
	var dir string
	var stay bool
	c := &cobra.Command{
		Use:   "demo [QUESTION...]",
		Short: "Load the bundled data set and search it by text",
		Long: `Load 6 346 programs of Debian 12 with their text embeddings, over HTTP as a collection and over
RESP as hashes with an index, and search them by meaning, with tag and number filters. Every search
is shown as a curl and as a redis-cli line.

The server runs inside this program, on free loopback ports and in a temporary directory, unless
--url names a running one. With a terminal the demo stays up, and every line typed is a question;
without one it ends when it is through.`,
		RunE: func(c *cobra.Command, questions []string) error {
			d.out, d.progress = c.OutOrStdout(), c.ErrOrStderr()
			var err error
			if d.programs, err = demo.Programs(); err != nil {
				return err
			}
			if d.encoder, err = demo.NewEncoder(); err != nil {
				return err
			}
			if dir == "" {
				if dir, err = os.MkdirTemp("", "isobath-demo-"); err != nil {
					return err
				}
				defer os.RemoveAll(dir)
			}
			if d.http.Base != "" {
				return d.run(c.Context(), dir, questions, stay, c.InOrStdin())
			}
			em, err := startEmbedded(c.Context(), filepath.Join(dir, "data"), c.ErrOrStderr())
			if err != nil {
				return err
			}
			d.http.Base, d.http.Key, d.respAddr, d.password = em.url(), "", em.respAddr(), ""
			err = d.run(c.Context(), dir, questions, stay, c.InOrStdin())
			if err == nil && !stay && !isTerminal(c.InOrStdin()) {
				fmt.Fprintln(d.out, "\nthe server ends here, as there is no terminal; --serve keeps it up for the lines above, --dir keeps its data")
			}
			return errors.Join(err, em.close())
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "dir", "", "directory that is kept: the database in DIR/data, queries in DIR/queries (default: a temporary one)")
	f.BoolVar(&stay, "serve", false, "stay up without a terminal too")
	f.StringVar(&d.http.Base, "url", "", "load into the running server at this HTTP address, e.g. http://127.0.0.1:6333")
	f.StringVar(&d.respAddr, "resp-addr", "127.0.0.1:6379", "with --url: RESP address of that server")
	f.StringVar(&d.http.Key, "api-key", "", "with --url: API key of that server")
	f.StringVar(&d.password, "password", "", "with --url: RESP password of that server (default: the API key)")
	return c
}

// run loads, searches and, if there is somebody to ask, waits for more questions.
func (d *demoRun) run(ctx context.Context, dir string, questions []string, stay bool, in io.Reader) error {
	d.dir = filepath.Join(dir, "queries")
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	d.password = cmp.Or(d.password, d.http.Key)
	fmt.Fprintf(d.out, "%s programs of Debian 12, searched by meaning\nHTTP %s  RESP %s  files %s\n", humanize.Comma(int64(len(d.programs))), d.http.Base, d.respAddr, dir)
	if err := d.loadHTTP(ctx); err != nil {
		return err
	}
	if err := d.loadRESP(ctx); err != nil {
		return err
	}
	list := demoQuestions
	if len(questions) > 0 {
		list = nil
		for _, text := range questions {
			list = append(list, question{text: text})
		}
	}
	for _, q := range list {
		if err := d.ask(ctx, q); err != nil {
			return err
		}
	}
	switch {
	case isTerminal(in):
		return d.talk(ctx, in)
	case stay:
		fmt.Fprintln(d.out, "\nserving until interrupted")
		<-ctx.Done()
	}
	return nil
}

// talk answers lines until the input or the context ends.
func (d *demoRun) talk(ctx context.Context, in io.Reader) error {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		fmt.Fprint(d.out, "\nthe server stays up; type a question, or Ctrl-C to end: ")
		select {
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			if err := d.ask(ctx, question{text: line}); err != nil && ctx.Err() == nil {
				return err
			}
		case <-ctx.Done():
			fmt.Fprintln(d.out)
			return nil
		}
	}
}
