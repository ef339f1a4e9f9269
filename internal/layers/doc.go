// Package layers holds the table of permitted imports, which its test compares with the sources.
// The table is docs/layout.md in code; both change in one commit, with a decision record.
package layers
