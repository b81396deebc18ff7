//! Several statements with their arguments, gathered to be run at once.

use serde_json::Value;
use sqlx::{
    Arguments, AssertSqlSafe, Encode, Sqlite, Type, error::BoxDynError, sqlite::SqliteArguments,
};

use super::{encode, transaction::Statements};
use crate::store::StoreError;

/// Statements in their order. Their text stays prepared, so of each kind of batch there should be few.
pub(super) struct Script {
    text: String,
    arguments: Result<SqliteArguments, BoxDynError>,
}

impl Script {
    pub(super) fn new() -> Self {
        Self {
            text: String::new(),
            arguments: Ok(SqliteArguments::default()),
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A statement that is given these rows as a JSON array; nothing where there are none.
    pub(super) fn push_list(&mut self, statement: &str, rows: Vec<Value>) {
        if !rows.is_empty() {
            self.push(statement);
            self.bind(encode::list(rows));
        }
    }

    /// A statement in whose place `{}` so many rows of parameters stand.
    pub(super) fn push_rows(&mut self, (before, after): (&str, &str), row: &str, count: usize) {
        self.push(before);
        self.push(&vec![row; count].join(","));
        self.push(after);
    }

    pub(super) fn bind<'t>(&mut self, value: impl Encode<'t, Sqlite> + Type<Sqlite>) {
        if let Ok(arguments) = &mut self.arguments
            && let Err(error) = arguments.add(value)
        {
            self.arguments = Err(error);
        }
    }

    /// What was gathered so far; the script is empty afterwards.
    pub(super) fn statements(&mut self) -> Result<Statements<'static>, StoreError> {
        let Self { text, arguments } = std::mem::replace(self, Self::new());
        let arguments = arguments.map_err(StoreError::unavailable)?;
        Ok(sqlx::query_with(AssertSqlSafe(text), arguments))
    }
}
