package respapi

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/isobath/isobath/engine"
)

// maxTextFields bounds TEXT fields until there is full-text search.
const maxTextFields = 64

// maxDefinition bounds the bytes of an FT.CREATE, and with them what each checkpoint writes of it.
const maxDefinition = 1 << 20

func ftCreate(c *call) error {
	if err := c.sync(); err != nil {
		return err
	}
	if _, err := c.srv.engine.Index(c.db, string(c.args[1])); err == nil {
		return errIndexExists
	}
	if len(c.srv.engine.Indexes(c.db)) >= c.srv.config.Int("search.max-indexes") {
		return ftErrorf("Maximum number of indexes reached (%d)", c.srv.config.Int("search.max-indexes"))
	}
	size := 0
	for _, a := range c.args {
		size += len(a)
	}
	if size > maxDefinition {
		return ftErrorf("Index definition of %d bytes exceeds the maximum of %d", size, maxDefinition)
	}
	p := &createParser{words: words{args: c.args[2:]}, cfg: c.srv.config}
	p.def.Name, p.def.Database = string(c.args[1]), c.db
	if err := p.parse(); err != nil {
		return err
	}
	if err := c.srv.engine.CreateIndex(c.ctx, p.def); err != nil {
		return ftError(err)
	}
	c.awaitBackfill()
	c.w.SimpleString("OK")
	return nil
}

func ftCreateIfNew(c *call) error { return okIf(c, ftCreate(c), errIndexExists) }

// awaitBackfill holds the reply for a moment, so that small key spaces are complete when OK arrives.
func (c *call) awaitBackfill() {
	ctx, cancel := context.WithTimeout(c.ctx, time.Duration(c.srv.config.Int("search.create-wait-ms"))*time.Millisecond)
	defer cancel()
	x, err := c.index(c.args[1])
	if err != nil {
		return
	}
	for {
		if done, info := c.filled(x); done || info == nil || info.State == engine.BackfillFailed {
			return
		}
		if pause(ctx, pollBackfill) != nil {
			return
		}
	}
}

// createParser reads the arguments of FT.CREATE behind the name.
type createParser struct {
	words
	cfg  *configStore
	def  engine.IndexDef
	opts indexOptions
	text int // TEXT fields so far
}

func (p *createParser) parse() error {
	for !p.take("schema") {
		if !p.more() {
			return replyError("No schema found")
		}
		if err := p.option(); err != nil {
			return err
		}
	}
	if !p.more() {
		return replyError("Fields arguments are missing")
	}
	for p.more() {
		if err := p.field(); err != nil {
			return err
		}
	}
	p.def.Options = p.opts.encode()
	return nil
}

// option reads one clause before SCHEMA.
func (p *createParser) option() error {
	word, _ := p.next("")
	name := strings.ToUpper(string(word))
	switch name {
	case "ON":
		return p.keyType()
	case "PREFIX":
		return p.prefixes()
	case "LANGUAGE":
		return p.text1(name, &p.opts.Language)
	case "LANGUAGE_FIELD":
		return p.text1(name, &p.opts.LangField)
	case "SCORE_FIELD":
		return p.text1(name, &p.opts.ScoreField)
	case "PAYLOAD_FIELD":
		return p.text1(name, &p.opts.Payload)
	case "SCORE":
		if err := p.text1(name, &p.opts.Score); err != nil {
			return err
		}
		if s, err := strconv.ParseFloat(p.opts.Score, 64); err != nil || !(s >= 0 && s <= 1) {
			return replyError("Invalid score: " + p.opts.Score)
		}
		return nil
	case "STOPWORDS":
		list, err := p.list(name)
		for _, w := range list {
			p.opts.StopWords = append(p.opts.StopWords, string(w))
		}
		p.opts.CustomStop = true
		return err
	case "NOSTOPWORDS":
		p.opts.CustomStop = true
	case "SKIPINITIALSCAN":
		p.def.SkipScan = true
	case "MAXTEXTFIELDS", "NOOFFSETS", "NOHL", "NOFIELDS", "NOFREQS":
		p.opts.Flags = append(p.opts.Flags, name)
	case "WITHOFFSETS":
	case "MINSTEMSIZE", "TEMPORARY":
		_, err := p.int(name, 1)
		return err
	case "PUNCTUATION", "INDEXALL":
		_, err := p.next(name)
		return err
	case "FILTER":
		return replyError("FILTER is not supported yet")
	default:
		return ftErrorf("Unknown argument `%s`", word)
	}
	return nil
}

func (p *createParser) text1(clause string, into *string) error {
	b, err := p.next(clause)
	*into = string(b)
	return err
}

func (p *createParser) keyType() error {
	b, err := p.next("ON")
	switch {
	case err != nil:
		return err
	case is(b, "hash"):
		return nil
	case is(b, "json"):
		return replyError("ON JSON is not supported yet")
	}
	return ftErrorf("Invalid rule type: %s", b)
}

func (p *createParser) prefixes() error {
	list, err := p.list("PREFIX")
	if err != nil {
		return err
	}
	if most := p.cfg.Int("search.max-prefixes"); len(list) > most {
		return ftErrorf("Number of prefixes (%d) exceeds the maximum of %d", len(list), most)
	}
	for _, x := range list {
		if len(x) == 0 { // matches every key
			p.def.Prefixes = nil
			return nil
		}
		p.def.Prefixes = append(p.def.Prefixes, slices.Clone(x))
	}
	return nil
}

// field reads one attribute of the schema.
func (p *createParser) field() error {
	source, _ := p.next("")
	f := engine.IndexField{Source: string(source), Alias: string(source)}
	if p.take("as") {
		alias, err := p.next("AS")
		if err != nil {
			return err
		}
		f.Alias = string(alias)
	}
	if slices.ContainsFunc(p.def.Fields, func(g engine.IndexField) bool { return g.Alias == f.Alias }) {
		return ftErrorf("Duplicate field in schema - %s", f.Alias)
	}
	if most := p.cfg.Int("search.max-attributes"); len(p.def.Fields) >= most {
		return ftErrorf("Number of schema fields exceeds the maximum of %d", most)
	}
	var o fieldOptions
	if err := p.fieldType(&f, &o); err != nil {
		return err
	}
	if err := p.fieldFlags(&f, &o); err != nil {
		return err
	}
	f.Options = o.encode()
	p.def.Fields = append(p.def.Fields, f)
	return nil
}

func (p *createParser) fieldType(f *engine.IndexField, o *fieldOptions) error {
	switch {
	case p.take("numeric"):
		f.Type = engine.FieldNumeric
	case p.take("tag"):
		f.Type = engine.FieldTag
	case p.take("text"):
		f.Type = engine.FieldText
		if p.text++; p.text > maxTextFields {
			return ftErrorf("Number of TEXT fields exceeds the maximum of %d", maxTextFields)
		}
	case p.take("vector"):
		f.Type = engine.FieldVector
		return p.vector(f, o)
	case p.take("geo"), p.take("geoshape"):
		return replyError("Unsupported field type")
	default:
		return ftErrorf("Invalid field type for field `%s`", f.Source)
	}
	return nil
}

// fieldFlags reads the options of a field in any order, up to a word that is none.
func (p *createParser) fieldFlags(f *engine.IndexField, o *fieldOptions) error {
	flag := func(name string) {
		if !slices.Contains(o.Flags, name) {
			o.Flags = append(o.Flags, name)
		}
	}
	text, tag := f.Type == engine.FieldText, f.Type == engine.FieldTag
	for p.more() {
		name := strings.ToUpper(string(p.args[p.i]))
		switch {
		case name == "SORTABLE" || name == "UNF" && slices.Contains(o.Flags, "SORTABLE"):
		case name == "NOINDEX":
			f.NoIndex = true
		case name == "INDEXMISSING":
			o.IndexMissing = true
		case name == "INDEXEMPTY" && (tag || text):
			f.IndexEmpty = true
		case name == "CASESENSITIVE" && tag:
			f.CaseSensitive = true
		case name == "WITHSUFFIXTRIE" && (tag || text), (name == "NOSTEM" || name == "NOSUFFIXTRIE") && text:
		case (name == "SEPARATOR") && tag, (name == "WEIGHT" || name == "PHONETIC") && text:
			p.i++
			if err := p.fieldValue(name, f, o); err != nil {
				return err
			}
			continue
		default:
			return nil
		}
		p.i++
		flag(name)
	}
	return nil
}

func (p *createParser) fieldValue(name string, f *engine.IndexField, o *fieldOptions) error {
	b, err := p.next(name)
	if err != nil {
		return err
	}
	switch name {
	case "SEPARATOR":
		if len(b) != 1 {
			return ftErrorf("Tag separator must be a single character. Got `%s`", b)
		}
		f.Separator = b[0]
	case "WEIGHT":
		if _, err := parseFloat(b); err != nil {
			return replyError("Bad arguments for weight: Could not convert argument to expected type")
		}
		o.Weight = string(b)
	case "PHONETIC":
		o.Phonetic = string(b)
	}
	return nil
}

// vector reads the algorithm and its attributes.
func (p *createParser) vector(f *engine.IndexField, o *fieldOptions) error {
	switch {
	case p.take("flat"):
		f.Vector.Flat = true
	case p.take("hnsw"):
	default:
		return replyError("Bad arguments for vector similarity algorithm")
	}
	algorithm := algorithmName(*f)
	n, err := p.int("vector similarity number of parameters", 0)
	if err != nil {
		return err
	}
	if n%2 != 0 {
		return ftErrorf("Bad number of arguments for vector similarity index: got %d but expected even number", n)
	}
	if have := len(p.args) - p.i; have < n {
		return ftErrorf("Expected %d parameters but got %d", n, have)
	}
	given := map[string]bool{}
	for range n / 2 {
		name, value := strings.ToUpper(string(p.args[p.i])), p.args[p.i+1]
		p.i += 2
		if err := p.vectorAttribute(f, o, algorithm, name, value); err != nil {
			return err
		}
		given[name] = true
	}
	for _, name := range []string{"TYPE", "DIM", "DISTANCE_METRIC"} {
		if !given[name] {
			return ftErrorf("Missing mandatory parameter: cannot create %s index without specifying %s argument", algorithm, name)
		}
	}
	f.Vector.M, f.Vector.EfConstruct = o.M, o.EfConstruction
	if !f.Vector.Flat && f.Vector.EfConstruct == 0 {
		f.Vector.EfConstruct = defaultEfConstruction
	}
	return nil
}

const (
	defaultM              = 16
	defaultEfConstruction = 200
	defaultEfRuntime      = 10 // as shown; a search that nobody gave a breadth takes the engine's, see ADR 0007
	defaultBlockSize      = 1024
)

func (p *createParser) vectorAttribute(f *engine.IndexField, o *fieldOptions, algorithm, name string, value []byte) error {
	bad := ftErrorf("Bad arguments for vector similarity %s index `%s`", algorithm, name)
	number := func(into *int, low, high int) error {
		n, err := strconv.Atoi(string(value))
		if err != nil && errors.Is(err, strconv.ErrRange) && high == unbounded && value[0] != '-' {
			n, err = unbounded, nil
		}
		if err != nil || n < low || n > high {
			return bad
		}
		*into = n
		return nil
	}
	hnsw := !f.Vector.Flat
	switch {
	case name == "TYPE":
		switch {
		case is(value, "float32"):
			f.Vector.Datatype = engine.Float32
		case is(value, "float16"):
			f.Vector.Datatype = engine.Float16
		default:
			return bad
		}
	case name == "DIM":
		return number(&f.Vector.Size, 1, p.cfg.Int("search.max-vector-dimensions"))
	case name == "DISTANCE_METRIC":
		metrics := map[string]engine.Distance{"L2": engine.Euclid, "IP": engine.Dot, "COSINE": engine.Cosine}
		var ok bool
		if f.Vector.Distance, ok = metrics[strings.ToUpper(string(value))]; !ok {
			return bad
		}
	case name == "INITIAL_CAP":
		return number(&o.InitialCap, 0, unbounded)
	case name == "BLOCK_SIZE":
		return number(&o.BlockSize, 1, unbounded)
	case name == "M" && hnsw:
		return number(&o.M, 2, p.cfg.Int("search.max-vector-m"))
	case name == "EF_CONSTRUCTION" && hnsw:
		return number(&o.EfConstruction, 1, p.cfg.Int("search.max-vector-ef-construction"))
	case name == "EF_RUNTIME" && hnsw:
		return number(&o.EfRuntime, 1, p.cfg.Int("search.max-vector-ef-runtime"))
	case name == "EPSILON" && hnsw:
		if e, err := parseFloat(value); err != nil || e <= 0 {
			return bad
		}
		o.Epsilon = string(value)
	default:
		return ftErrorf("Bad arguments for algorithm %s: %s", algorithm, name)
	}
	return nil
}

const unbounded = 1<<63 - 1
