package layers

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/isobath/isobath/"

// floor0 may be imported by every package above it.
var floor0 = []string{"internal/vfs", "internal/mmap", "internal/binfmt", "internal/invariant", "internal/nice", "internal/prefetch"}

// allowed says which of our packages a package may import, beside floor0 where onFloor0 says so.
// Floors from the bottom to the top.
var allowed = map[string][]string{
	// 0
	"internal/binfmt":    {},
	"internal/invariant": {},
	"internal/vfs":       {},
	"internal/mmap":      {},
	"internal/nice":      {},
	"internal/prefetch":  {},
	"internal/layers":    {},

	// 1: strangers to each other
	"wal":              {},
	"payload":          {},
	"hnsw":             {},
	"mmapvec":          {"mmapvec/distance"},
	"mmapvec/distance": {},
	"mmapvec/quant":    {"mmapvec/distance"},

	// 2
	"filter":           {"payload"},
	"filter/querylang": {"filter", "payload"},

	// between 2 and 3: the two large parts of a collection
	"engine/slots":       {"payload"},
	"engine/vectorindex": {"hnsw", "mmapvec", "mmapvec/distance", "mmapvec/quant"},

	// 3
	"engine": {
		"wal", "payload", "hnsw", "mmapvec", "mmapvec/distance", "mmapvec/quant", "filter",
		"engine/slots", "engine/vectorindex",
	},
	"engine/keyspace": {"engine", "filter", "payload"},

	// 4
	"server/service": {"engine", "engine/keyspace", "filter", "payload"},

	// 5: the wire
	"server/resp": {},
	"server/httpapi": {
		"server/service", "engine", "engine/keyspace", "filter", "filter/querylang", "payload",
	},
	"server/respapi": {
		"server/service", "engine", "engine/keyspace", "filter", "filter/querylang", "payload",
		"server/resp",
	},

	// 6
	"server": {
		"server/service", "server/httpapi", "server/respapi", "server/resp",
		"engine", "engine/keyspace",
	},

	// 7: measuring. The command and the tools below test/ call these.
	"internal/daemon":  {},
	"internal/dataset": {"mmapvec/distance"},
	"internal/client":  {"server/resp"},
	"test/peers":       {}, // sources of other people's libraries' drivers
	"internal/bench": {
		"internal/dataset", "internal/daemon", "internal/client", "test/peers",
		"engine", "filter", "mmapvec/distance",
	},
}

// onFloor0 tells which packages may use floor 0: all above it but the leaves.
func onFloor0(pkg string) bool {
	return !strings.HasPrefix(pkg, "internal/") && pkg != "server/resp"
}

// free are trees whose packages may import anything below them: floor 7 and the tools.
var free = []string{"cmd/", "test/"}

// TestImports reads the sources itself: asking the go command would let the test cache answer.
func TestImports(t *testing.T) {
	root := moduleRoot(t)
	absent := maps.Clone(allowed)
	for file, imports := range importsOf(t, root) {
		pkg := path.Dir(file)
		delete(absent, pkg)
		if slices.ContainsFunc(free, func(tree string) bool { return strings.HasPrefix(pkg+"/", tree) }) {
			continue
		}
		edges, known := allowed[pkg]
		if !known {
			t.Errorf("%s: package %q is not in the table", file, pkg)
			continue
		}
		if onFloor0(pkg) {
			edges = append(slices.Clone(edges), floor0...)
		}
		for _, imported := range imports {
			if !slices.Contains(edges, imported) {
				t.Errorf("%s: %q must not import %q", file, pkg, imported)
			}
		}
	}
	require.Empty(t, absent, "packages of the table that do not exist")
}

// TestTableHasNoCycle walks the table: an import must lead down.
func TestTableHasNoCycle(t *testing.T) {
	state := map[string]int{} // 1 = on the way, 2 = done
	var visit func(pkg string)
	visit = func(pkg string) {
		require.Contains(t, allowed, pkg)
		require.NotEqual(t, 1, state[pkg], "cycle through %q", pkg)
		if state[pkg] == 2 {
			return
		}
		state[pkg] = 1
		for _, next := range allowed[pkg] {
			visit(next)
		}
		state[pkg] = 2
	}
	for pkg := range allowed {
		visit(pkg)
	}
}

func moduleRoot(t *testing.T) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "no go.mod above the test")
		dir = parent
	}
}

// importsOf returns the imports of our own packages by every file of the module that is neither a
// test nor a generator of its own ("ignore" tag), by slash path below root.
func importsOf(t *testing.T, root string) map[string][]string {
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(root, name, d)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(src), "//go:build ignore") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		own := []string{}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if rest, ok := strings.CutPrefix(imported, module); ok {
				own = append(own, rest)
			}
		}
		found[filepath.ToSlash(rel)] = own
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(found), 20)
	return found
}

// skipDir leaves out test data, hidden folders and modules of their own.
func skipDir(root, name string, d fs.DirEntry) error {
	if name == root {
		return nil
	}
	if strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}
