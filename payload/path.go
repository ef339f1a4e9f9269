package payload

// Path is a parsed JSON path (http.md 12.2). It is immutable and safe for concurrent use.
type Path struct {
	steps []step
	text  string
}

type step struct {
	key   string
	index int
	kind  stepKind
}

type stepKind uint8

// ParsePath parses a path.
func ParsePath(s string) (Path, error) { return Path{}, errTodo }

// String returns the canonical text.
func (p Path) String() string { return p.text }

// Each calls fn for every selected value until it returns false.
func (p Path) Each(doc []byte, fn func(v Value) bool) {}
