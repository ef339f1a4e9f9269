package demo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// Encoder turns text into a vector: the mean of its words' vectors, rare words weighing more,
// without the component that all texts share. This is smooth inverse frequency weighting
// (Arora, Liang, Ma: A Simple but Tough-to-Beat Baseline for Sentence Embeddings, 2017).
type Encoder struct {
	words     map[string][]float32 // unit vector times the word's weight
	component []float32
}

const (
	vocabulary = 341479 // words of the source, which the ranks count
	smoothing  = 1e-3   // the paper's a
)

var (
	token = regexp.MustCompile(`[a-z][a-z0-9+#]*`)
	stop  = stopWords("a an the of for to and in on with by from is are as at or your you that this it its be based using via into")
)

func stopWords(list string) map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(list) {
		words[w] = true
	}
	return words
}

// NewEncoder unpacks the bundled words.
func NewEncoder() (*Encoder, error) {
	list, err := unpack("words.txt")
	if err != nil {
		return nil, err
	}
	rows, err := vectors("words.q8")
	if err != nil {
		return nil, err
	}
	component, err := unpack("component.f32")
	if err != nil {
		return nil, err
	}
	if len(component) != 4*Dim {
		return nil, fmt.Errorf("demo: component of %d bytes", len(component))
	}
	e := &Encoder{words: make(map[string][]float32, len(rows)), component: make([]float32, Dim)}
	for i := range e.component {
		e.component[i] = math.Float32frombits(binary.LittleEndian.Uint32(component[4*i:]))
	}
	lines := strings.Split(string(bytes.TrimSpace(list)), "\n")
	if len(lines) != len(rows) {
		return nil, fmt.Errorf("demo: %d words, %d vectors", len(lines), len(rows))
	}
	for i, line := range lines {
		var word string
		var rank float64
		if _, err := fmt.Sscan(line, &word, &rank); err != nil {
			return nil, fmt.Errorf("demo: word %d: %w", i, err)
		}
		scale(rows[i], weight(rank)/norm(rows[i]))
		e.words[word] = rows[i]
	}
	return e, nil
}

// weight of a word by its rank, under Zipf's law.
func weight(rank float64) float64 {
	p := 1 / ((rank + 2.7) * (math.Log(vocabulary) + 0.577))
	return smoothing / (smoothing + p)
}

// Encode returns the unit vector of a text. It is false when the text has no known word.
func (e *Encoder) Encode(text string) ([]float32, bool) {
	sum := make([]float32, Dim)
	for _, word := range token.FindAllString(strings.ToLower(text), -1) {
		if stop[word] {
			continue
		}
		for i, x := range e.words[word] {
			sum[i] += x
		}
	}
	shared := dot(sum, e.component)
	for i := range sum {
		sum[i] -= float32(shared) * e.component[i]
	}
	length := norm(sum)
	if length == 0 {
		return nil, false
	}
	scale(sum, 1/length)
	return sum, true
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func norm(v []float32) float64 { return math.Sqrt(dot(v, v)) }

func scale(v []float32, by float64) {
	for i := range v {
		v[i] = float32(float64(v[i]) * by)
	}
}
