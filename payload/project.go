package payload

import "slices"

// Project returns the parts of doc that a reader asked for. A nil include keeps everything, an
// empty one nothing; a value is kept when its path is the beginning of an included path or goes on
// from one. A value is dropped when an excluded path is the beginning of its path. Elements of an
// array are matched by `[]` only: `a[].b` reaches into the objects of a, `a.b` and `a[0].b` do not.
func Project(doc []byte, include, exclude []Path) ([]byte, error) {
	v, err := object(doc)
	if err != nil {
		return nil, err
	}
	pr := projection{all: include == nil}
	for _, p := range include {
		pr.all = pr.all || p.IsZero()
		pr.include = append(pr.include, p.steps)
	}
	for _, p := range exclude {
		if p.IsZero() {
			return []byte("{}"), nil
		}
		pr.exclude = append(pr.exclude, p.steps)
	}
	if pr.all {
		pr.include = nil
	}
	return pr.append(make([]byte, 0, len(v.Raw)), v), nil
}

// projection is what remains of the patterns at one place of the document: every pattern that
// agrees with the path so far, less the steps already taken.
type projection struct {
	all     bool     // an included path ends at or above this place
	include [][]step // none is empty
	exclude [][]step // none is empty
}

func (pr projection) append(out []byte, v Value) []byte {
	if pr.all && len(pr.exclude) == 0 {
		return append(out, v.Raw...)
	}
	switch v.Kind {
	case Object:
		l := list{out: append(out, '{')}
		v.eachMember(func(key, val Value) bool {
			if sub, keep := pr.enter(func(s *step) bool { return s.kind == stepKey && keyIs(inside(key), s.key) }); keep {
				l.name(key.Raw)
				l.out = sub.append(l.out, val)
			}
			return true
		})
		return append(l.out, '}')
	case Array:
		sub, keep := pr.enter(func(s *step) bool { return s.kind == stepEach })
		if !keep {
			return append(out, "[]"...)
		}
		l := list{out: append(out, '[')}
		v.EachElem(func(e Value) bool {
			l.next()
			l.out = sub.append(l.out, e)
			return true
		})
		return append(l.out, ']')
	}
	return append(out, v.Raw...)
}

// enter takes one step down and says whether what is found there is kept.
func (pr projection) enter(match func(s *step) bool) (sub projection, keep bool) {
	for _, steps := range pr.exclude {
		if match(&steps[0]) {
			if len(steps) == 1 {
				return projection{}, false
			}
			sub.exclude = append(sub.exclude, steps[1:])
		}
	}
	sub.all = pr.all
	for _, steps := range pr.include {
		if match(&steps[0]) {
			keep = true
			sub.all = sub.all || len(steps) == 1
			sub.include = append(sub.include, steps[1:])
		}
	}
	if sub.all {
		return projection{all: true, exclude: sub.exclude}, true
	}
	sub.include = slices.DeleteFunc(sub.include, func(s []step) bool { return len(s) == 0 })
	return sub, keep
}
