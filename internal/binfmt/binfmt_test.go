package binfmt

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoundTrip(t *testing.T) {
	var w Writer
	w.U8(1)
	w.U16(2)
	w.U32(3)
	w.U64(math.MaxUint64)
	w.I64(-5)
	w.F32(1.5)
	w.F64(math.Inf(-1))
	w.Uvarint(300)
	w.Varint(-300)
	w.LenBytes([]byte("bytes"))
	w.String("text")
	w.Bytes([]byte{9, 9})
	w.Zero(3)

	r := NewReader(w.Buf)
	require.EqualValues(t, 1, r.U8())
	require.EqualValues(t, 2, r.U16())
	require.EqualValues(t, 3, r.U32())
	require.EqualValues(t, uint64(math.MaxUint64), r.U64())
	require.EqualValues(t, -5, r.I64())
	require.EqualValues(t, 1.5, r.F32())
	require.Equal(t, math.Inf(-1), r.F64())
	require.EqualValues(t, 300, r.Uvarint())
	require.EqualValues(t, -300, r.Varint())
	require.Equal(t, "bytes", string(r.LenBytes()))
	require.Equal(t, "text", r.String())
	require.Equal(t, []byte{9, 9}, r.Bytes(2))
	require.Equal(t, make([]byte, 3), r.Bytes(3))
	require.Zero(t, r.Remaining())
	require.NoError(t, r.Err())
}

func TestErrorIsSticky(t *testing.T) {
	r := NewReader([]byte{200, 1, 2})
	require.Nil(t, r.LenBytes())
	require.ErrorIs(t, r.Err(), ErrShort)
	require.Zero(t, r.U8())
	require.Zero(t, r.Remaining())
	r.Fail(ErrChecksum)
	require.ErrorIs(t, r.Err(), ErrShort)
	long := NewReader([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	long.Uvarint()
	require.ErrorIs(t, long.Err(), ErrVarint)
}

func TestHeader(t *testing.T) {
	magic := Magic8("isoTEST1")
	h := Header{Magic: magic, Version: 2, FileID: 7, Seq: 9, Extra: [28]byte{1}}
	b := EncodeHeader(h)
	require.Len(t, b, HeaderSize)
	got, err := DecodeHeader(b, magic, 2)
	require.NoError(t, err)
	require.Equal(t, h, got)

	_, err = DecodeHeader(b[:63], magic, 2)
	require.ErrorIs(t, err, ErrShort)
	_, err = DecodeHeader(b, Magic8("isoOTHER"), 2)
	require.ErrorIs(t, err, ErrMagic)
	var version *VersionError
	_, err = DecodeHeader(b, magic, 1)
	require.ErrorAs(t, err, &version)
	for i := 8; i < HeaderSize; i++ {
		bad := append([]byte(nil), b...)
		bad[i] ^= 16
		_, err = DecodeHeader(bad, magic, 2)
		require.ErrorIs(t, err, ErrChecksum, "byte %d", i)
	}
}

func TestChecksumOfParts(t *testing.T) {
	require.Equal(t, Checksum([]byte("123456789")), Checksum([]byte("1234"), nil, []byte("56789")))
	require.EqualValues(t, 0xe3069283, Checksum([]byte("123456789")))
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		for r.Err() == nil && r.Remaining() > 0 {
			switch r.U8() % 5 {
			case 0:
				r.LenBytes()
			case 1:
				r.Uvarint()
			case 2:
				r.U64()
			case 3:
				_ = r.String()
			case 4:
				r.Bytes(int(r.Varint()))
			}
		}
	})
}
