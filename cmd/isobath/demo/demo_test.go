package demo

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgramsAreComplete(t *testing.T) {
	programs, err := Programs()
	require.NoError(t, err)
	require.Len(t, programs, 6346)
	for _, p := range programs {
		require.NotEmpty(t, p.Name)
		require.NotEmpty(t, p.Summary)
		require.NotEmpty(t, p.Section)
		require.NotEmpty(t, p.Tags)
		require.Positive(t, p.SizeKB)
		require.InDelta(t, 1, norm(p.Vector), 0.01)
		for _, tag := range p.Tags {
			require.NotContains(t, tag, ",", "tags are joined by commas in hashes")
		}
	}
	require.Equal(t, "0ad", programs[0].Name)
	require.Equal(t, int64(28591), programs[0].SizeKB)
}

// TestEncoderMakesTheBundledVectors embeds what the programs were embedded from: the summary
// and the words of some tags. What is left is the rounding of the vectors to 8 bits, and a few
// programs with the tag value TODO.
func TestEncoderMakesTheBundledVectors(t *testing.T) {
	facets := strings.Fields("use game field works-with web sound mail security science biology office hardware network admin")
	words := strings.NewReplacer("-", " ", ":", " ")
	programs, err := Programs()
	require.NoError(t, err)
	e, err := NewEncoder()
	require.NoError(t, err)
	var cosines []float64
	for _, p := range programs {
		text := p.Summary
		for _, tag := range p.Tags {
			if facet, value, _ := strings.Cut(tag, "::"); slices.Contains(facets, facet) {
				text += " " + words.Replace(value)
			}
		}
		v, ok := e.Encode(text)
		require.True(t, ok, p.Name)
		cosines = append(cosines, dot(v, p.Vector))
	}
	slices.Sort(cosines)
	require.Greater(t, cosines[len(cosines)/2], 0.9999)
	require.Greater(t, cosines[len(cosines)/20], 0.998)
}

func TestQuestionsFindPrograms(t *testing.T) {
	programs, err := Programs()
	require.NoError(t, err)
	e, err := NewEncoder()
	require.NoError(t, err)
	for question, want := range map[string][]string{
		"chess opponent":            {"stockfish", "hoichess", "dreamchess", "gnuchess"},
		"solve sudoku":              {"ksudoku", "hitori", "sudoku", "gnome-sudoku"},
		"Car racing":                {"trophy", "trigger-rally", "dustracing2d"},
		"draw the circuit, boards!": {"3dchess", "kfourinline"}, // wrong, and known to be
	} {
		v, ok := e.Encode(question)
		require.True(t, ok)
		slices.SortStableFunc(programs, func(a, b Program) int {
			return cmp.Compare(dot(b.Vector, v), dot(a.Vector, v))
		})
		var got []string
		for _, p := range programs[:len(want)] {
			got = append(got, p.Name)
		}
		require.Equal(t, want, got, question)
	}
}

func TestEncoderRecordedValues(t *testing.T) {
	e, err := NewEncoder()
	require.NoError(t, err)
	v, ok := e.Encode("listen to songs")
	require.True(t, ok)
	require.InDelta(t, 1, norm(v), 1e-6)
	require.InDeltaSlice(t, []float32{-0.021077825, 0.048579607, 0.06311346, -0.073185876, 0.052440993, 0.20550863}, v[:6], 1e-6)
	same, _ := e.Encode("  LISTEN songs and the qqqqq")
	require.Equal(t, v, same, "case, stop words and unknown words change nothing")
	_, ok = e.Encode("the of qqqqq 42")
	require.False(t, ok)
}
