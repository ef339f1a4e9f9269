package keyspace

// Glob matches the whole of s against a pattern of *, ?, [a-z], [^a] and backslash escapes, byte by byte. Its time is at most
// the product of the lengths.
func Glob(pattern, s []byte) bool {
	p, i := 0, 0
	star, resume := -1, 0 // the last star, and where its text ends for now
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, resume = p, i
			p++
			continue
		}
		if next, ok := globByte(pattern, p, s[i]); ok {
			p = next
			i++
			continue
		}
		if star < 0 {
			return false
		}
		resume++
		p, i = star+1, resume
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globByte matches one byte against the item at p, which is no star, and returns where the next item begins.
func globByte(pattern []byte, p int, c byte) (next int, ok bool) {
	if p >= len(pattern) {
		return 0, false
	}
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return globClass(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

// globClass matches a class whose '[' is already passed; one without ']' ends with the pattern.
func globClass(pattern []byte, p int, c byte) (next int, ok bool) {
	negate := p < len(pattern) && pattern[p] == '^'
	if negate {
		p++
	}
	for ; p < len(pattern) && pattern[p] != ']'; p++ {
		if pattern[p] == '\\' && p+1 < len(pattern) {
			p++
			ok = ok || pattern[p] == c
			continue
		}
		lo, hi := pattern[p], pattern[p]
		if p+2 < len(pattern) && pattern[p+1] == '-' && pattern[p+2] != ']' {
			hi = pattern[p+2]
			p += 2
		}
		if lo > hi {
			lo, hi = hi, lo
		}
		ok = ok || lo <= c && c <= hi
	}
	return min(p+1, len(pattern)), ok != negate
}

// globPrefix returns the literal text every match begins with.
func globPrefix(pattern []byte) []byte {
	var out []byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '?', '[':
			return out
		case '\\':
			if i+1 < len(pattern) {
				i++
			}
			out = append(out, pattern[i])
		default:
			out = append(out, c)
		}
	}
	return out
}
