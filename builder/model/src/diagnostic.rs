use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A file that a person wrote: its path, as messages show it, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    text: Arc<str>,
}

impl Source {
    /// A file's path and its whole text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Self {
        Source { path: path.into(), text: text.into() }
    }

    /// The path as messages show it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A complaint about a byte range of this file.
    pub fn complain(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        let parts =
            Parts { source: self.clone(), span, message: message.into(), label: String::new(), help: None };
        Diagnostic(Box::new(parts))
    }
}

/// A complaint about a place in a file: what is wrong, where, and the remedy.
///
/// One pointer wide, as it stands in the `Err` of every reader.
#[derive(Clone, Debug)]
pub struct Diagnostic(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    source: Source,
    span: Range<usize>,
    message: String,
    label: String,
    help: Option<String>,
}

impl Diagnostic {
    /// Adds words beside the underlined place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = label.into();
        self
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file it is about.
    pub fn path(&self) -> &Path {
        &self.0.source.path
    }

    /// The line it begins on, counted from 1.
    pub fn line(&self) -> usize {
        let end = self.0.span.start.min(self.0.source.text.len());
        self.0.source.text.as_bytes()[..end].iter().filter(|b| **b == b'\n').count() + 1
    }

    /// The complaint with the line of the file it is about, as the terminal shows it.
    pub fn render(&self, color: bool) -> String {
        let path = self.0.source.path.display().to_string();
        let text = &self.0.source.text;
        let start = floor_boundary(text, self.0.span.start);
        let end = floor_boundary(text, self.0.span.end).max(start);
        let annotation = AnnotationKind::Primary.span(start..end).label(self.0.label.as_str());
        let snippet = Snippet::source(&**text).path(path.as_str()).annotation(annotation);
        let group = Group::with_title(Level::ERROR.primary_title(self.0.message.as_str())).element(snippet);
        let group = match &self.0.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostic {}
