package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/isobath/isobath/internal/binfmt"
	"github.com/isobath/isobath/payload"
)

// Kinds of log records. Numbers are on disk and never reused. Bodies: FORMAT.md.
const (
	recCollectionCreate uint8 = 1
	recCollectionDrop   uint8 = 2
	recCollectionUpdate uint8 = 3
	recAliases          uint8 = 4
	recPoints           uint8 = 5
	recFieldCreate      uint8 = 6
	recFieldDrop        uint8 = 7
	recFieldStep        uint8 = 8
	recKeys             uint8 = 9
	recIndexCreate      uint8 = 10
	recIndexStep        uint8 = 11
	recFreeSlots        uint8 = 12
)

func (o opCollectionCreate) encode(w *binfmt.Writer) {
	w.U32(o.num)
	w.String(o.name)
	encodeSchema(w, o.schema)
}

func (o opCollectionDrop) encode(w *binfmt.Writer) { w.U32(o.num) }

func (o opCollectionUpdate) encode(w *binfmt.Writer) {
	w.U32(o.num)
	encodeSchema(w, o.schema)
}

func (o opAliases) encode(w *binfmt.Writer) { encodeAliases(w, o.aliases) }

func (o *opPoints) encode(w *binfmt.Writer) {
	w.U32(o.num)
	w.Uvarint(o.operation)
	w.Uvarint(uint64(len(o.changes)))
	for i := range o.changes {
		o.changes[i].encode(w)
	}
}

func (c *pointChange) encode(w *binfmt.Writer) {
	w.U8(uint8(c.kind))
	w.Buf = c.id.AppendKey(w.Buf)
	switch c.kind {
	case changePut, changeVectors:
		w.Uvarint(uint64(len(c.vectors)))
		for _, v := range c.vectors {
			w.String(v.name)
			w.Uvarint(uint64(len(v.data)))
			w.Buf = appendFloats(w.Buf, v.data)
		}
	case changeUnset:
		w.Uvarint(uint64(len(c.names)))
		for _, n := range c.names {
			w.String(n)
		}
	}
	if c.kind == changePut || c.kind == changePayload {
		w.U8(boolByte(c.hasPayload))
		if c.hasPayload {
			w.LenBytes(c.payload)
		}
	}
}

func (o opFieldCreate) encode(w *binfmt.Writer) {
	w.U32(o.num)
	w.Uvarint(o.operation)
	o.field.encode(w)
}

func (o opFieldDrop) encode(w *binfmt.Writer) {
	w.U32(o.num)
	w.Uvarint(o.operation)
	w.String(o.name)
}

func (o opFieldStep) encode(w *binfmt.Writer) {
	w.U32(o.num)
	w.String(o.name)
	w.LenBytes(o.from)
	w.LenBytes(o.to)
}

func (o *opKeys) encode(w *binfmt.Writer) {
	w.Uvarint(uint64(len(o.changes)))
	for i := range o.changes {
		c := &o.changes[i]
		w.U8(uint8(c.kind))
		w.U8(uint8(c.database))
		w.U32(c.generation)
		if c.kind == keyFlush {
			continue
		}
		w.U8(boolByte(c.existed) | boolByte(c.hadExpire)<<1)
		w.LenBytes(c.key)
		if c.kind == keyPut {
			c.doc.encode(w)
		} else {
			w.Uvarint(c.doc.Number)
		}
	}
}

func (o opIndexCreate) encode(w *binfmt.Writer) {
	w.U32(o.num)
	w.U32(o.generation)
	encodeIndexDef(w, o.def)
}

func (o opIndexStep) encode(w *binfmt.Writer) {
	w.U32(o.num)
	w.LenBytes(o.from)
	w.LenBytes(o.to)
	w.F64(o.progress)
}

func (o opFreeSlots) encode(w *binfmt.Writer) {
	w.U32(o.num)
	w.LenBytes(o.set)
}

// decodeOp reads the body of a record. Byte strings in the result are borrowed from data.
func decodeOp(kind uint8, data []byte) (op, error) {
	r := binfmt.NewReader(data)
	var o op
	switch kind {
	case recCollectionCreate:
		o = opCollectionCreate{num: r.U32(), name: r.String(), schema: decodeSchema(r)}
	case recCollectionDrop:
		o = opCollectionDrop{num: r.U32()}
	case recCollectionUpdate:
		o = opCollectionUpdate{num: r.U32(), schema: decodeSchema(r)}
	case recAliases:
		o = opAliases{aliases: decodeAliases(r)}
	case recPoints:
		o = decodePoints(r)
	case recFieldCreate:
		o = opFieldCreate{num: r.U32(), operation: r.Uvarint(), field: decodeFieldDef(r)}
	case recFieldDrop:
		o = opFieldDrop{num: r.U32(), operation: r.Uvarint(), name: r.String()}
	case recFieldStep:
		o = opFieldStep{num: r.U32(), name: r.String(), from: r.LenBytes(), to: r.LenBytes()}
	case recKeys:
		o = decodeKeys(r)
	case recIndexCreate:
		o = opIndexCreate{num: r.U32(), generation: r.U32(), def: decodeIndexDef(r)}
	case recIndexStep:
		o = opIndexStep{num: r.U32(), from: r.LenBytes(), to: r.LenBytes(), progress: r.F64()}
	case recFreeSlots:
		o = opFreeSlots{num: r.U32(), set: r.LenBytes()}
	default:
		return nil, fmt.Errorf("engine: record kind %d is not known to this version", kind)
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("engine: record of kind %d: %w", kind, err)
	}
	if r.Remaining() != 0 {
		return nil, fmt.Errorf("engine: record of kind %d: %d bytes too long", kind, r.Remaining())
	}
	return o, nil
}

func decodePoints(r *binfmt.Reader) *opPoints {
	o := &opPoints{num: r.U32(), operation: r.Uvarint()}
	n := r.Uvarint()
	if n > uint64(r.Remaining()) {
		r.Fail(binfmt.ErrShort)
		return o
	}
	o.changes = make([]pointChange, 0, n)
	for range n {
		o.changes = append(o.changes, decodePointChange(r))
		if r.Err() != nil {
			break
		}
	}
	return o
}

func decodePointChange(r *binfmt.Reader) pointChange {
	c := pointChange{kind: changeKind(r.U8()), id: decodeID(r)}
	switch c.kind {
	case changePut, changeVectors:
		for range r.Uvarint() {
			name := r.String()
			n := r.Uvarint()
			if n > uint64(r.Remaining())/4 {
				r.Fail(binfmt.ErrShort)
			}
			if r.Err() != nil {
				return c
			}
			c.vectors = append(c.vectors, namedVector{name, decodeFloats(r.Bytes(int(n) * 4))})
		}
	case changeUnset:
		for range r.Uvarint() {
			if c.names = append(c.names, r.String()); r.Err() != nil {
				return c
			}
		}
	case changePayload, changeDelete:
	default:
		r.Fail(fmt.Errorf("unknown change kind %d", c.kind))
	}
	if c.kind == changePut || c.kind == changePayload {
		if c.hasPayload = r.U8() != 0; c.hasPayload {
			c.payload = r.LenBytes()
		}
	}
	return c
}

func decodeID(r *binfmt.Reader) PointID {
	b := r.Bytes(idKeyBytes)
	if r.Err() != nil {
		return PointID{}
	}
	id, err := payload.DecodeKeyID(b)
	if err != nil {
		r.Fail(err)
	}
	return id
}

func decodeKeys(r *binfmt.Reader) *opKeys {
	n := r.Uvarint()
	if n > uint64(r.Remaining()) {
		r.Fail(binfmt.ErrShort)
		return nil
	}
	o := &opKeys{changes: make([]keyChange, 0, n)}
	for range n {
		c := keyChange{kind: keyChangeKind(r.U8()), database: int(r.U8()), generation: r.U32()}
		switch c.kind {
		case keyPut, keyDelete:
			flags := r.U8()
			c.existed, c.hadExpire = flags&1 != 0, flags&2 != 0
			c.key = r.LenBytes()
			if c.kind == keyPut {
				c.doc = decodeDocument(r)
			} else {
				c.doc.Number = r.Uvarint()
			}
		case keyFlush:
		default:
			r.Fail(fmt.Errorf("unknown key change kind %d", c.kind))
		}
		if r.Err() != nil {
			return nil
		}
		o.changes = append(o.changes, c)
	}
	return o
}

func (d Document) encode(w *binfmt.Writer) {
	w.U8(uint8(d.Kind))
	w.Uvarint(d.Number)
	w.Varint(d.Expire)
	w.LenBytes(d.Body)
}

func decodeDocument(r *binfmt.Reader) Document {
	d := Document{Kind: Kind(r.U8()), Number: r.Uvarint(), Expire: r.Varint(), Body: r.LenBytes()}
	if d.Kind < KindString || d.Kind > KindJSON {
		r.Fail(fmt.Errorf("unknown document kind %d", d.Kind))
	}
	return d
}

func encodeAliases(w *binfmt.Writer, aliases map[string]string) {
	w.Uvarint(uint64(len(aliases)))
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		w.String(name)
		w.String(aliases[name])
	}
}

func decodeAliases(r *binfmt.Reader) map[string]string {
	aliases := map[string]string{}
	for range r.Uvarint() {
		name, target := r.String(), r.String()
		if r.Err() != nil {
			return nil
		}
		aliases[name] = target
	}
	return aliases
}

func boolByte(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
