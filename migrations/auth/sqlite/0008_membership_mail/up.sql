-- What a mail tells of a membership: names, gone once the mail is sent.
ALTER TABLE mails ADD COLUMN membership TEXT;
