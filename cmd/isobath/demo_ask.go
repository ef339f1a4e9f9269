package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/isobath/isobath/cmd/isobath/demo"
)

// question is a search of the demo: by text or by a program, with filters.
type question struct {
	text    string
	like    string // name of a program, instead of text
	section string // none: any
	tag     string
	belowKB int64 // 0: any
	remark  string
}

// demoQuestions begins with what works and does not hide what does not.
var demoQuestions = []question{
	{text: "chess opponent"},
	{text: "learn typing for children", belowKB: 2000},
	{text: "car racing", section: "games", belowKB: 5000},
	{text: "listen to songs", tag: "use::playing"},
	{like: "gimp", tag: "interface::commandline"},
	{text: "draw circuit boards", remark: "a weak one: the mean of word vectors takes board games for circuit boards"},
	{text: "draw circuit boards", section: "electronics", remark: "the same, mended by a filter"},
}

// answers is the number of programs that a question asks for.
const answers = 5

// found is a program that answers a question.
type found struct {
	Score   float32
	Payload demo.Program
}

// ask prints the answer to a question and the two lines that repeat it.
func (d *demoRun) ask(ctx context.Context, q question) error {
	d.asked++
	var query any
	var vector []float32
	title := fmt.Sprintf("%q", q.text)
	if q.like != "" {
		i := slices.IndexFunc(d.programs, func(p demo.Program) bool { return p.Name == q.like })
		if i < 0 {
			return fmt.Errorf("no program %q in the data", q.like)
		}
		title, query, vector = "like "+q.like, i+1, d.programs[i].Vector
	} else {
		var ok bool
		if vector, ok = d.encoder.Encode(q.text); !ok {
			fmt.Fprintf(d.out, "\n%s: none of these words is known here\n", title)
			return nil
		}
		query = vector
	}
	body, err := json.Marshal(q.request(query))
	if err != nil {
		return err
	}
	var result struct{ Points []found }
	if err := d.http.Call(ctx, http.MethodPost, "/collections/"+demoCollection+"/points/query", body, &result); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n%s%s\n", title, q.conditions())
	if q.remark != "" {
		fmt.Fprintf(d.out, "(%s)\n", q.remark)
	}
	for _, f := range result.Points {
		fmt.Fprintf(d.out, "  %.3f  %-18s %-12s %8s  %s\n", f.Score, f.Payload.Name, f.Payload.Section,
			humanize.IBytes(uint64(f.Payload.SizeKB)<<10), f.Payload.Summary)
	}
	if err := d.compare(ctx, q, vector, result.Points); err != nil {
		return err
	}
	return d.printLines(q, body, vector)
}

// request is the body of the HTTP query.
func (q question) request(query any) map[string]any {
	var must []any
	match := func(key, value string) {
		if value != "" {
			must = append(must, map[string]any{"key": key, "match": map[string]any{"value": value}})
		}
	}
	match("section", q.section)
	match("tags", q.tag)
	if q.belowKB > 0 {
		must = append(must, map[string]any{"key": "size_kb", "range": map[string]any{"lt": q.belowKB}})
	}
	body := map[string]any{"query": query, "limit": answers, "with_payload": true}
	if must != nil {
		body["filter"] = map[string]any{"must": must}
	}
	return body
}

// conditions says the filters in words.
func (q question) conditions() string {
	var s string
	if q.section != "" {
		s += ", section " + q.section
	}
	if q.tag != "" {
		s += ", tag " + q.tag
	}
	if q.belowKB > 0 {
		s += fmt.Sprintf(", below %d kB", q.belowKB)
	}
	return s
}

var tagSpecial = regexp.MustCompile(`[^A-Za-z0-9_]`)

// ftQuery is the text of the FT query, its vector in parameter v.
func (q question) ftQuery() string {
	var filter []string
	match := func(field, value string) {
		if value != "" {
			filter = append(filter, fmt.Sprintf("@%s:{%s}", field, tagSpecial.ReplaceAllString(value, `\$0`)))
		}
	}
	match("section", q.section)
	match("tags", q.tag)
	if q.belowKB > 0 {
		filter = append(filter, fmt.Sprintf("@size_kb:[-inf (%d]", q.belowKB))
	}
	k := answers
	if q.like != "" {
		k++ // the program itself, which the query by id leaves out
	}
	return fmt.Sprintf("(%s)=>[KNN %d @vector $v AS distance]", strings.Join(append(filter, "*")[:max(1, len(filter))], " "), k)
}

// compare asks over RESP too and wants the same programs.
func (d *demoRun) compare(ctx context.Context, q question, vector []float32, want []found) error {
	c, err := d.dialRESP(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	reply, err := c.Do("FT.SEARCH", demoIndex, q.ftQuery(), "NOCONTENT", "SORTBY", "distance", "LIMIT", 0, answers+1, "PARAMS", 2, "v", blob(vector))
	if err != nil {
		return fmt.Errorf("FT.SEARCH: %w", err)
	}
	list, _ := reply.([]any)
	var names []string
	for _, key := range list[min(1, len(list)):] {
		if name := strings.TrimPrefix(fmt.Sprint(key), demoPrefix); name != q.like {
			names = append(names, name)
		}
	}
	names = names[:min(answers, len(names))]
	var wanted []string
	for _, f := range want {
		wanted = append(wanted, f.Payload.Name)
	}
	slices.Sort(names)
	slices.Sort(wanted)
	if !slices.Equal(names, wanted) {
		return fmt.Errorf("the protocols disagree about %q: HTTP found %v, RESP %v", q.text+q.like, wanted, names)
	}
	return nil
}

var notFileName = regexp.MustCompile(`[^a-z0-9]+`)

// printLines prints the search as a curl and a redis-cli line. Vectors come from files.
func (d *demoRun) printLines(q question, body []byte, vector []float32) error {
	name := fmt.Sprintf("%02d-%s", d.asked, strings.Trim(notFileName.ReplaceAllString(strings.ToLower(q.text+q.like), "-"), "-"))
	data := "'" + string(body) + "'"
	if q.like == "" {
		file := filepath.Join(d.dir, name+".json")
		if err := os.WriteFile(file, body, 0o600); err != nil {
			return err
		}
		data = "@" + file
	}
	file := filepath.Join(d.dir, name+".f32")
	if err := os.WriteFile(file, blob(vector), 0o600); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(d.respAddr)
	if err != nil {
		return err
	}
	var key, auth string
	if d.http.Key != "" {
		key = ` -H "api-key: $ISOBATH_KEY"`
	}
	if d.password != "" {
		auth = ` -a "$ISOBATH_KEY"`
	}
	fmt.Fprintf(d.out, "  curl -s%s -H 'Content-Type: application/json' -d %s %s/collections/%s/points/query\n",
		key, data, d.http.Base, demoCollection)
	fmt.Fprintf(d.out, "  redis-cli%s -h %s -p %s -x FT.SEARCH %s '%s' RETURN 3 name summary distance SORTBY distance PARAMS 2 v < %s\n",
		auth, host, port, demoIndex, q.ftQuery(), file)
	return nil
}
