package querylang

import (
	"strconv"
	"strings"
)

const badVectorParameter = "Invalid value was given (Error parsing vector similarity parameters)"

// knn reads '[' KNN k @field $blob (name value)* ']' [ '=>' '{' attrs '}' ], after the first arrow.
func (p *parser) knn() (*KNN, error) {
	if err := p.expect('['); err != nil {
		return nil, err
	}
	if p.skipSpace(); !p.atWord("KNN") {
		return nil, p.syntax()
	}
	p.pos += len("KNN")
	k := &KNN{}
	var err error
	if k.K, err = p.count32(p.opt.MaxK, "KNN K parameter is too large"); err != nil {
		return nil, err
	}
	if p.skipSpace(); !p.at('@') {
		return nil, p.syntax()
	}
	f, err := p.fieldName()
	if err != nil {
		return nil, err
	}
	if f.Type != Vector {
		return nil, f.mismatch("VECTOR")
	}
	k.Field = f.Name
	if p.skipSpace(); !p.at('$') {
		return nil, p.syntax()
	}
	off := p.pos
	if k.Vector, err = p.param(); err != nil {
		return nil, err
	}
	if f.VectorBytes != 0 && len(k.Vector) != f.VectorBytes {
		return nil, errorf(off, "Error parsing vector similarity query: query vector blob size (%d) does not match index's expected size (%d).",
			len(k.Vector), f.VectorBytes)
	}
	if err := p.knnOptions(k); err != nil {
		return nil, err
	}
	return k, p.distanceName(k, off)
}

// knnOptions reads (name value)* ']' and the attributes behind it.
func (p *parser) knnOptions(k *KNN) error {
	for {
		p.skipSpace()
		if p.at(']') {
			p.pos++
			break
		}
		off := p.pos
		name := p.until("]$", false)
		if len(name) == 0 {
			return p.syntax()
		}
		value, err := p.value("]")
		if err != nil {
			return err
		}
		if err := p.setKNN(k, off, string(name), value); err != nil {
			return err
		}
	}
	return p.attributes(func(off int, name string, value []byte) error { return p.setKNN(k, off, name, value) })
}

// value reads a word or a parameter.
func (p *parser) value(stops string) ([]byte, error) {
	p.skipSpace()
	if p.at('$') {
		return p.param()
	}
	v := p.until(stops, true)
	if len(v) == 0 {
		return nil, p.syntax()
	}
	return v, nil
}

// setKNN applies one option, whichever of the two syntaxes it came in.
func (p *parser) setKNN(k *KNN, off int, name string, value []byte) error {
	switch strings.ToLower(name) {
	case "ef_runtime":
		n, ok := positive(value)
		if !ok || n > p.opt.MaxEf {
			return errorf(off, badVectorParameter)
		}
		k.EfRuntime = n
	case "batch_size":
		n, ok := positive(value)
		if !ok {
			return errorf(off, badVectorParameter)
		}
		k.BatchSize = n
	case "epsilon":
		v, ok := parseNumber(string(value))
		if !ok || v <= 0 {
			return errorf(off, badVectorParameter)
		}
		k.Epsilon = v
	case "hybrid_policy":
		switch strings.ToLower(string(value)) {
		case "adhoc_bf":
			k.AdHoc = true
		case "batches":
			k.AdHoc = false
		default:
			return errorf(off, "invalid hybrid policy was given")
		}
	case "as", "yield_distance_as":
		if k.Named {
			return errorf(off, "Distance field was specified twice for vector query: %s and %s", k.As, value)
		}
		k.As, k.Named = string(value), true
	case "weight", "slop", "inorder", "shard_k_ratio":
	default:
		return errorf(off, "Invalid option (Error parsing vector similarity parameters)")
	}
	return nil
}

// distanceName fills in the default name and refuses the name of a declared field.
func (p *parser) distanceName(k *KNN, off int) error {
	if !k.Named {
		k.As = "__" + k.Field + "_score"
	}
	if f, ok := p.schema.Field([]byte(k.As)); ok && f.Name == k.As {
		return errorf(off, "Property `%s` already exists in schema", k.As)
	}
	return nil
}

// filterAttributes reads '=>' '{' attrs '}' behind a filter, if it is there. What it can say there concerns relevance only.
func (p *parser) filterAttributes() error {
	return p.attributes(func(off int, name string, _ []byte) error {
		switch strings.ToLower(name) {
		case "weight", "slop", "inorder", "phonetic":
			return nil
		}
		return errorf(off, "Invalid attribute %s", name)
	})
}

// attributes reads '=>' '{' name ':' value ( ( ';' | ',' ) ... )* '}' if it is next, and nothing otherwise.
func (p *parser) attributes(set func(off int, name string, value []byte) error) error {
	start := p.pos
	if !p.takeString("=>") || !p.take('{') {
		p.pos = start
		return nil
	}
	for {
		p.skipSpace()
		if p.take('}') {
			return nil
		}
		off := p.pos
		if p.at('$') {
			p.pos++
		}
		name := p.until(":;,}", false)
		if len(name) == 0 {
			return p.syntax()
		}
		if err := p.expect(':'); err != nil {
			return err
		}
		value, err := p.value(";,}")
		if err != nil {
			return err
		}
		if err := set(off, string(name), value); err != nil {
			return err
		}
		if !p.take(';') && !p.take(',') {
			return p.expect('}')
		}
	}
}

// count32 reads a positive integer or a parameter that holds one.
func (p *parser) count32(limit int, tooLarge string) (int, error) {
	p.skipSpace()
	start := p.pos
	text, err := p.value("@]")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	switch {
	case n > uint64(limit):
		return 0, errorf(start, "%s", tooLarge)
	case err != nil || n == 0:
		return 0, p.syntaxAt(start)
	}
	return int(n), nil
}

func positive(b []byte) (int, bool) {
	n, err := strconv.ParseInt(string(b), 10, 32)
	return int(n), err == nil && n > 0
}
