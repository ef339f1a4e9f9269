package wal

import (
	"encoding/binary"

	"github.com/isobath/isobath/internal/binfmt"
)

// The layout of frames, see FORMAT.md. Nothing in this file does I/O.
const (
	frameMagic  = 0x4d524669 // "iFRM"
	frameHeader = 48
	frameAlign  = 8
	// framePayload bounds the payload of one frame; longer records span frames.
	framePayload = 256 << 10
)

type frameType uint8

const (
	frameWhole  frameType = 1 // a whole record
	frameFirst  frameType = 2
	frameMiddle frameType = 3
	frameLast   frameType = 4
	frameMark   frameType = 5 // no record: says only what is durable
)

// place is where a frame stands; it is part of the frame's checksum.
type place struct {
	file  uint64
	off   int64
	epoch uint64
}

type frame struct {
	typ     frameType
	kind    uint8
	seq     uint64
	term    uint64
	synced  uint64
	payload []byte // borrowed
}

// paddedFrame returns the number of bytes of a frame with a payload of n bytes.
func paddedFrame(n int) int {
	return (frameHeader + n + frameAlign - 1) / frameAlign * frameAlign
}

// appendRecord appends the frames of r to b. Epoch, synced and checksum stay open until seal.
func appendRecord(b []byte, r Record) []byte {
	rest, first := r.Data, true
	for {
		n := min(len(rest), framePayload)
		last := n == len(rest)
		typ := frameMiddle
		switch {
		case first && last:
			typ = frameWhole
		case first:
			typ = frameFirst
		case last:
			typ = frameLast
		}
		b = appendFrame(b, frame{typ: typ, kind: r.Kind, seq: r.Seq, term: r.Term, payload: rest[:n]})
		if last {
			return b
		}
		rest, first = rest[n:], false
	}
}

// recordBytes returns the number of bytes that appendRecord appends for n bytes of data.
func recordBytes(n int) int64 {
	whole, rest := n/framePayload, n%framePayload
	size := int64(whole) * int64(paddedFrame(framePayload))
	if rest > 0 || whole == 0 {
		size += int64(paddedFrame(rest))
	}
	return size
}

func appendFrame(b []byte, f frame) []byte {
	var h [frameHeader]byte
	binary.LittleEndian.PutUint32(h[0:], frameMagic)
	binary.LittleEndian.PutUint32(h[4:], uint32(len(f.payload)))
	h[12], h[13] = byte(f.typ), f.kind
	binary.LittleEndian.PutUint64(h[16:], f.seq)
	binary.LittleEndian.PutUint64(h[24:], f.term)
	b = append(b, h[:]...)
	b = append(b, f.payload...)
	var zeros [frameAlign]byte
	return append(b, zeros[:paddedFrame(len(f.payload))-frameHeader-len(f.payload)]...)
}

// seal completes the frames in b, which will stand from p on.
func seal(b []byte, p place, synced uint64) {
	for len(b) > 0 {
		n := int(binary.LittleEndian.Uint32(b[4:]))
		binary.LittleEndian.PutUint64(b[32:], p.epoch)
		binary.LittleEndian.PutUint64(b[40:], synced)
		binary.LittleEndian.PutUint32(b[8:], frameChecksum(b[:frameHeader+n], p))
		size := paddedFrame(n)
		b = b[size:]
		p.off += int64(size)
	}
}

// frameChecksum covers the frame's place and all its bytes but the checksum itself.
func frameChecksum(b []byte, p place) uint32 {
	var at [24]byte
	binary.LittleEndian.PutUint64(at[0:], p.file)
	binary.LittleEndian.PutUint64(at[8:], uint64(p.off))
	binary.LittleEndian.PutUint64(at[16:], p.epoch)
	return binfmt.Checksum(at[:], b[:8], b[12:])
}

// frameLength returns the payload length that a frame header claims. It is false for bytes that
// are no header of this epoch or claim an impossible length.
func frameLength(h []byte, epoch uint64) (int, bool) {
	if len(h) < frameHeader || binary.LittleEndian.Uint32(h) != frameMagic ||
		binary.LittleEndian.Uint64(h[32:]) != epoch {
		return 0, false
	}
	n := binary.LittleEndian.Uint32(h[4:])
	return int(n), n <= framePayload
}

// decodeFrame reads the frame at the start of b. It is false for anything but a frame that was
// written at p.
func decodeFrame(b []byte, p place) (frame, bool) {
	n, ok := frameLength(b, p.epoch)
	if !ok || len(b) < frameHeader+n {
		return frame{}, false
	}
	b = b[:frameHeader+n]
	if binary.LittleEndian.Uint32(b[8:]) != frameChecksum(b, p) {
		return frame{}, false
	}
	f := frame{
		typ:     frameType(b[12]),
		kind:    b[13],
		seq:     binary.LittleEndian.Uint64(b[16:]),
		term:    binary.LittleEndian.Uint64(b[24:]),
		synced:  binary.LittleEndian.Uint64(b[40:]),
		payload: b[frameHeader:],
	}
	if f.typ < frameWhole || f.typ > frameMark || binary.LittleEndian.Uint16(b[14:]) != 0 {
		return frame{}, false
	}
	return f, true
}
