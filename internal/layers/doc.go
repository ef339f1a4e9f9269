// Package layers holds the table of permitted imports, which its test compares with the sources.
// The table is that of docs/architecture.md in code; both change in one commit, with a decision record.
package layers
