package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Sources are where a configuration comes from, weakest first: file, environment, flags.
type Sources struct {
	File string   // path of a YAML file; "" is none
	Env  []string // NAME=value, as of os.Environ
	// Flags holds the flags that were given, by name without dashes: data-dir, http-addr,
	// resp-addr, memory-limit, log-level, insecure-no-auth.
	Flags map[string]string
}

// Origin says where the value of a setting comes from.
type Origin struct {
	Key, Value string // Value of a secret is hidden
	From       string // "file", or the environment variable or flag
}

// Loaded is a configuration and what to say about it.
type Loaded struct {
	Config   Config
	Warnings []string
	Origins  []Origin // of everything that is not a default, by key
}

// Load merges the sources. A setting that nobody knows is an error that names it.
func Load(src Sources) (Loaded, error) {
	tree := &yaml.Node{Kind: yaml.MappingNode}
	origins := map[string]Origin{}
	if src.File != "" {
		raw, err := os.ReadFile(src.File)
		if err != nil {
			return Loaded{}, fmt.Errorf("server: configuration: %w", err)
		}
		if err := decodeSettings(raw, &settings{}); err != nil {
			return Loaded{}, fmt.Errorf("server: configuration file %s: %w", src.File, err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(raw, &doc); err != nil {
			return Loaded{}, fmt.Errorf("server: configuration file %s: %w", src.File, err)
		}
		if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
			tree = doc.Content[0]
		}
		note(origins, tree, "", "file")
	}
	flags, err := flagSettings(src.Flags)
	if err != nil {
		return Loaded{}, err
	}
	for _, o := range append(environment(src.Env), flags...) {
		if err := o.check(); err != nil {
			return Loaded{}, err
		}
		put(tree, o.Key, o.Value)
		origins[o.Key] = o
	}
	return finish(tree, origins)
}

// check looks at one setting alone, so that the error names where it comes from.
func (o Origin) check() error {
	alone := &yaml.Node{Kind: yaml.MappingNode}
	put(alone, o.Key, o.Value)
	raw, err := yaml.Marshal(alone)
	if err == nil {
		err = decodeSettings(raw, &settings{})
	}
	if err != nil {
		return fmt.Errorf("server: %s: %s", o.From, lineNumber.ReplaceAllString(err.Error(), ""))
	}
	return nil
}

func finish(tree *yaml.Node, origins map[string]Origin) (Loaded, error) {
	raw, err := yaml.Marshal(tree)
	if err != nil {
		return Loaded{}, fmt.Errorf("server: configuration: %w", err)
	}
	var s settings
	if err := decodeSettings(raw, &s); err != nil {
		return Loaded{}, fmt.Errorf("server: configuration from environment and flags: %w", err)
	}
	var out Loaded
	if out.Config, err = s.config(); err != nil {
		return Loaded{}, fmt.Errorf("server: configuration: %w", err)
	}
	for _, key := range ignoredKeys(reflect.ValueOf(s), "") {
		out.Warnings = append(out.Warnings, key+" has no meaning here and is ignored")
	}
	for key, o := range origins {
		if secretKey.MatchString(key) {
			o.Value = "(hidden)"
		}
		out.Origins = append(out.Origins, o)
	}
	slices.SortFunc(out.Origins, func(a, b Origin) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

var secretKey = regexp.MustCompile(`(^|\.)(api_key|alt_api_key|read_only_api_key|requirepass)$`)

var (
	unknownField = regexp.MustCompile(`field (\S+) not found in type .+`)
	goType       = regexp.MustCompile(` into (\S+).*$`)
	lineNumber   = regexp.MustCompile(`\bline \d+: `)
)

// expected words the Go type that a setting is decoded to.
func expected(goType string) string {
	switch {
	case goType == "uint16":
		return "a whole number up to 65535"
	case strings.HasPrefix(goType, "uint"), goType == "int":
		return "a whole number"
	case goType == "float64":
		return "a number"
	case goType == "bool":
		return "true or false"
	case goType == "string":
		return "text"
	}
	return "a map"
}

// decodeSettings refuses unknown keys; errors name them and not our types.
func decodeSettings(raw []byte, s *settings) error {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	err := dec.Decode(s)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return err
	}
	lines := make([]string, len(typed.Errors))
	for i, line := range typed.Errors {
		line = unknownField.ReplaceAllString(line, "unknown key $1")
		if m := goType.FindStringSubmatchIndex(line); m != nil {
			line = line[:m[0]] + ", expected " + expected(line[m[2]:m[3]])
		}
		lines[i] = line
	}
	return errors.New(strings.Join(lines, "; "))
}

// note records the scalars and lists below a node.
func note(origins map[string]Origin, n *yaml.Node, at, from string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i].Value, n.Content[i+1]
		if at != "" {
			key = at + "." + key
		}
		if v.Kind == yaml.MappingNode {
			note(origins, v, key, from)
			continue
		}
		origins[key] = Origin{key, v.Value, from}
	}
}

// put sets a scalar at a dotted path.
func put(n *yaml.Node, key, value string) {
	head, rest, more := strings.Cut(key, ".")
	var child *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == head {
			child = n.Content[i+1]
		}
	}
	if child == nil {
		child = &yaml.Node{Kind: yaml.MappingNode}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: head}, child)
	}
	if more {
		if child.Kind != yaml.MappingNode {
			*child = yaml.Node{Kind: yaml.MappingNode}
		}
		put(child, rest, value)
		return
	}
	*child = yaml.Node{Kind: yaml.ScalarNode, Value: value}
	if secretKey.MatchString(key) || key == "memory_limit" || key == "storage.storage_path" { // a key of digits is still text
		child.Tag = "!!str"
	}
}

// qdrantNames are the settings that are also understood under Qdrant's name.
var qdrantNames = map[string]bool{
	"service.host": true, "service.http_port": true, "service.api_key": true, "service.alt_api_key": true,
	"service.read_only_api_key": true, "storage.storage_path": true,
}

// environment returns the settings in variables; ISOBATH wins over QDRANT.
func environment(env []string) []Origin {
	var weak, strong []Origin
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		prefix, rest, ok := strings.Cut(name, "__")
		if !ok || rest == "" {
			continue
		}
		o := Origin{strings.ToLower(strings.ReplaceAll(rest, "__", ".")), value, name}
		switch {
		case prefix == "ISOBATH":
			strong = append(strong, o)
		case prefix == "QDRANT" && qdrantNames[o.Key]:
			weak = append(weak, o)
		}
	}
	return append(weak, strong...)
}

// flagSettings returns the settings that flags stand for.
func flagSettings(flags map[string]string) ([]Origin, error) {
	var out []Origin
	for name, value := range flags {
		from := "--" + name
		add := func(key, value string) { out = append(out, Origin{key, value, from}) }
		switch name {
		case "data-dir":
			add("storage.storage_path", value)
		case "memory-limit":
			add("memory_limit", value)
		case "log-level":
			add("log_level", value)
		case "insecure-no-auth":
			add("service.insecure_no_auth", value)
		case "http-addr", "resp-addr":
			section, port := "service", "http_port"
			if name == "resp-addr" {
				section, port = "resp", "port"
				if value == respOff {
					add("resp.enabled", "false")
					continue
				}
				add("resp.enabled", "true")
			}
			host, number, err := net.SplitHostPort(value)
			if err != nil {
				return nil, fmt.Errorf("server: %s: %w", from, err)
			}
			add(section+".host", host)
			add(section+"."+port, number)
		default:
			return nil, fmt.Errorf("server: no setting for flag %s", from)
		}
	}
	return out, nil
}

// ignoredKeys returns the keys that were given and mean nothing.
func ignoredKeys(v reflect.Value, at string) (keys []string) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if at != "" {
			name = at + "." + name
		}
		switch field := v.Field(i).Interface().(type) {
		case ignored:
			if field.set {
				keys = append(keys, name)
			}
		default:
			if v.Field(i).Kind() == reflect.Struct {
				keys = append(keys, ignoredKeys(v.Field(i), name)...)
			}
		}
	}
	return keys
}
