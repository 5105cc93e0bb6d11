// The one place that loads @peculiar/x509: it needs reflect-metadata to be there first.
import 'reflect-metadata';

export * as typed from '@peculiar/x509';
