//! Writing release.json.

use crate::json::Value;
use crate::time;

use super::{Blob, FORMAT, Image, Piece, Range, Release};

impl Release {
    /// The file. Reading it back gives this value, or the reason why no device would take it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, crate::Error> {
        let bytes = self.value().file();
        Release::parse("new release.json", &bytes).map(|_| bytes)
    }

    fn value(&self) -> Value {
        let images = self.images().map(|(kind, image)| (kind.as_str(), image.value()));
        let members = [
            ("arch", Some(self.arch.as_str().into())),
            ("board", Some(self.board.as_str().into())),
            ("built", Some(time::format(self.built).into())),
            ("data", Some(self.data_value())),
            ("format", Some(FORMAT.into())),
            ("images", Some(Value::from(images))),
            ("notes", self.notes.as_ref().map(Blob::value)),
            ("profile", Some(self.profile.as_str().into())),
            ("root_hash", Some(self.root_hash.to_string().into())),
            ("sbom", self.sbom.as_ref().map(Blob::value)),
            ("updater", Some(self.updater.into())),
            ("version", Some(self.version.to_string().into())),
        ];
        present(members)
    }

    fn data_value(&self) -> Value {
        let converts = self.data.postgresql_converts.iter().map(|major| Value::from(*major)).collect();
        present([
            ("from", self.data.from.as_ref().map(|version| version.to_string().into())),
            ("kine_schema", Some(self.data.kine_schema.into())),
            ("kubernetes_minor", Some(self.data.kubernetes_minor.into())),
            ("postgresql", Some(self.data.postgresql.into())),
            ("postgresql_converts", Some(Value::List(converts))),
        ])
    }
}

impl Blob {
    fn value(&self) -> Value {
        Value::from([("sha256", self.sha256.to_string().into()), ("size", self.size.into())])
    }
}

impl Image {
    fn value(&self) -> Value {
        let pieces = |pieces: &[Piece]| Value::List(pieces.iter().map(Piece::value).collect());
        let deltas = self.deltas.iter().map(|delta| {
            Value::from([
                ("from", delta.from.to_string().into()),
                ("from_size", delta.from_size.into()),
                ("pieces", pieces(&delta.pieces)),
            ])
        });
        let chunks = self.chunks.as_ref().map(|chunks| Value::from([("index", chunks.index.value())]));
        present([
            ("chunks", chunks),
            ("deltas", Some(Value::List(deltas.collect()))),
            ("sha256", Some(self.sha256.to_string().into())),
            ("size", Some(self.size.into())),
            ("whole", Some(pieces(&self.whole))),
        ])
    }
}

impl Piece {
    fn value(&self) -> Value {
        present([
            ("base", self.base.as_ref().map(Range::value)),
            ("blob", Some(self.blob.value())),
            ("length", Some(self.output.length.into())),
            ("offset", Some(self.output.offset.into())),
            ("sha256", Some(self.sha256.to_string().into())),
        ])
    }
}

impl Range {
    fn value(&self) -> Value {
        Value::from([("length", self.length.into()), ("offset", self.offset.into())])
    }
}

fn present<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Map(there.collect())
}
